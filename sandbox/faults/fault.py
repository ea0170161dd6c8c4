"""Definition of a fault."""

from __future__ import annotations

import re
from datetime import timedelta
from email.utils import format_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from sandbox.faults import refusals

if TYPE_CHECKING:
    from datetime import datetime

HTML = b"<!DOCTYPE html><html><body><h1>Sign in to your account</h1></body></html>"


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """A fault to order: which requests it hits, and what happens to them.

    Attributes:
        path: Text or regular expression to find in the decoded path and query.
        method: HTTP method to match. Empty matches every method.
        count: Number of requests to hit. None hits all that match.
        skip: Number of matching requests to let through first.
        over_rows: Hit only requests that ask for more rows than this, by `$top` or a page size in
            the `Prefer` header, and requests that ask for no number of rows.
        probability: Share of the matching requests to hit, drawn with `seed`.
        seed: Seed of the random draw.
        status: Status of the response, sent with `headers` and `body`. Without a body, the
            response is an error with the code 0x80040216 (unexpected) for 500 and 0x80040203
            (refused) for every other status.
        headers: Headers of the response.
        body: Body of the response: text as it is, everything else as JSON.
        code: Error code of the response, valid with any status.
        message: Error message of the response. Empty takes the service's own for the code.
        error_form: Format of the error, one of `sandbox.faults.refusals.FORMS`,
            `sandbox.faults.finance_forms.FORMS` or `sandbox.faults.central_forms.FORMS`.
        substitute: Pairs of pattern and replacement for the text of the service's response, in
            the syntax of `re.sub`.
        in_batch: Hit only requests within `$batch`.
        throttle: Answer 429 for `requests`, `execution_time` or `concurrency`.
        retry_after: Value of the `Retry-After` header. Empty leaves the header out.
        retry_after_is_date: Send `Retry-After` as a date that is `retry_after` seconds ahead.
        delay_ms: Wait this long before anything else.
        hold: Wait until the faults are cleared, before anything else.
        drop: Close the connection without a response.
        reset: Reset the connection.
        away_ms: Close all connections, and refuse new ones for this long.
        truncate: Close the connection in the middle of the body.
        cut: End the response in the middle of the body, as if the body were complete.
        garble: Put bytes in the middle of the body that are invalid in JSON.
        dribble_ms: Send the body in several pieces, and wait this long before each.
        repeat_next_link: Return the request's own URL as nextLink.
        relative_next_link: Return the nextLink relative to the service root.
        empty_page: Return no rows, and a nextLink that continues.
        html: Answer 200 with a web page.
        expire_tokens: Expire all access tokens before the request is served.
        echo: Answer 400 and repeat the headers and body of the request, as some gateways do.
        commit: Number of a transaction to commit before the request is served, so that a change
            comes in the middle of a run.
        change: Control request to execute before the request is served, such as `["DELETE",
            "companies/CRONUS"]`: method, path below /sandbox/, and perhaps a body.
    """

    path: str = ""
    method: str = ""
    count: int | None = 1
    skip: int = 0
    over_rows: int = 0
    probability: float = 1.0
    seed: int = 0
    status: int | None = None
    headers: dict[str, str] = {}
    body: Any = None
    code: str | None = None
    message: str = ""
    error_form: str = "odata"
    substitute: list[tuple[str, str]] = []
    in_batch: bool = False
    throttle: str = ""
    retry_after: str | None = None
    retry_after_is_date: bool = False
    delay_ms: int = 0
    hold: bool = False
    drop: bool = False
    reset: bool = False
    away_ms: int = 0
    truncate: bool = False
    cut: bool = False
    garble: bool = False
    dribble_ms: int = 0
    repeat_next_link: bool = False
    relative_next_link: bool = False
    empty_page: bool = False
    html: bool = False
    expire_tokens: bool = False
    echo: bool = False
    commit: int | None = None
    change: list[Any] = []

    @property
    def touches_body(self) -> bool:
        """Whether the fault changes the service's response."""
        links = self.repeat_next_link or self.relative_next_link
        changed = links or self.cut or self.garble or bool(self.substitute)
        return changed or self.dribble_ms > 0

    def answer(self, now: datetime) -> tuple[int, dict[str, str], bytes] | None:
        """Return the response that replaces the service's, if the fault has one.

        Args:
            now: The service's time.

        Returns:
            Status, headers and body.
        """
        headers = {"Content-Type": refusals.JSON, **self.headers}
        retry_after = "1" if self.throttle and self.retry_after is None else self.retry_after
        if retry_after and self.retry_after_is_date:
            moment = now + timedelta(seconds=float(retry_after))
            headers["Retry-After"] = format_datetime(moment, usegmt=True)
        elif retry_after:
            headers["Retry-After"] = retry_after
        if self.throttle:
            return 429, headers, self._refusal(refusals.THROTTLED[self.throttle], headers)
        if self.html:
            return 200, {**headers, "Content-Type": "text/html; charset=utf-8"}, HTML
        if self.status is None:
            return None
        if isinstance(self.body, str):
            return self.status, headers, self.body.encode()
        if self.body is not None:
            return self.status, headers, msgspec.json.encode(self.body)
        own = self.status == HTTPStatus.INTERNAL_SERVER_ERROR
        default = refusals.UNEXPECTED if own else refusals.REFUSED
        code = default if self.code is None else self.code
        return self.status, headers, self._refusal(code, headers)

    def check(self, now: datetime) -> None:
        """Check that the fault can be applied.

        Args:
            now: The service's time.

        Raises:
            ValueError: Attributes of the fault contradict each other.
        """
        given = self.code is not None or self.message or self.error_form != "odata"
        if given and self.status is None and not self.throttle:
            text = "code, message and error_form describe an error, which needs a status."
            raise ValueError(text)
        if self.change and len(self.change) not in {2, 3}:
            text = "A change is a method, a path and perhaps a body."
            raise ValueError(text)
        answer = self.answer(now)
        if self.in_batch and answer is None:
            text = "Within a batch, a fault can only replace the response."
            raise ValueError(text)
        try:
            for pattern, replacement in self.substitute:
                re.sub(pattern, replacement, "")
        except re.error as error:
            text = f"Invalid pattern in substitute: {error}."
            raise ValueError(text) from error

    def _refusal(self, code: str, headers: dict[str, str]) -> bytes:
        """Return an error's body, and set its media type unless the order names another."""
        media_type, body = refusals.refusal(self.error_form, code, self.message)
        if "Content-Type" not in self.headers:
            headers["Content-Type"] = media_type
        return body
