"""OData client: sends requests to one service, retries them, and checks the answers."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from typing import TYPE_CHECKING, ParamSpec, TypeVar
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from tap_dynamics365.errors import ServiceError
from tap_dynamics365.http.budgets import Budgets
from tap_dynamics365.http.concurrency import ConcurrencyLimit
from tap_dynamics365.http.response import JSON, check, check_whole
from tap_dynamics365.http.retry import RetryPolicy
from tap_dynamics365.http.server_time import Clock
from tap_dynamics365.http.session import open_session
from tap_dynamics365.odata.page import split
from tap_dynamics365.redaction import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import requests

    from tap_dynamics365.http.signer import Signer
    from tap_dynamics365.http.throttle import Throttle
    from tap_dynamics365.http.traffic import Traffic
    from tap_dynamics365.odata.dialect import Dialect
    from tap_dynamics365.odata.page import RawPage
    from tap_dynamics365.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger("tap-dynamics365.service")

HEADERS = {
    "Accept": JSON,
    "OData-MaxVersion": "4.0",
    "OData-Version": "4.0",
}

NO_OPTIONS: Mapping[str, str] = {}

# The end of the path of a service root, whatever its version.
ROOT = re.compile(r"/v\d+(?:\.\d+)?/$")


def with_options(url: str, options: Mapping[str, str]) -> str:
    """Add options to a query, unless the query has options of the same names.

    The rest of the URL stays as it is written, because links to next pages must not be changed.

    Args:
        url: The URL, without a fragment.
        options: The values by name, both as they are written in a URL.

    Returns:
        The URL, with each option once.
    """
    query = url.partition("?")[2]
    present = {unquote(part.partition("=")[0]).lower() for part in query.split("&")}
    for name, value in options.items():
        if name.lower() not in present:
            url += f"{'&' if '?' in url else '?'}{name}={value}"
    return url


class ODataClient:
    """A connection to one service.

    Args:
        settings: The service root, timeouts, and the limit of requests in flight.
        dialect: How the service speaks OData.
        signer: Signs each request.
        throttle: Pauses all requests, those of the sign-in too.
        traffic: Counts requests and bytes.
        options: Options of the query of each request for rows, by name.

    Attributes:
        url: The service root, with a slash at its end.
        url_options: The options in the query of each request, by name.
        timeout: Seconds to wait for an answer; None waits without limit.
        concurrency: How many requests may be in flight now.
        clock: The service's time.
        session: The HTTP session that all requests share.
        is_reached: Whether the service has answered before. From then on a web page instead of an
            answer comes from a gateway, and is transient.
        longest_url: The most characters that a URL may have, as far as is known.
        links_beside_annotations: Whether a tracked read that asks for annotations still gets a
            delta link, as far as is known.
        writing_sets: The entity sets whose pages write when they are read, as far as is known.
    """

    def __init__(  # noqa: PLR0913 - what a connection is made of
        self,
        settings: Settings,
        dialect: Dialect,
        signer: Signer,
        throttle: Throttle,
        traffic: Traffic,
        *,
        options: Mapping[str, str] = NO_OPTIONS,
    ) -> None:
        self.url = settings.service_url
        self.url_options = settings.url_options
        self._host = urljoin(self.url, "/")
        self.dialect = dialect
        self.signer = signer
        self.throttle = throttle
        self.traffic = traffic
        self.timeout = settings.ws_timeout or None
        wanted = settings.max_parallel_requests or dialect.default_requests
        most = int(min(wanted, dialect.most_requests))
        self.concurrency = ConcurrencyLimit(most, dialect.start_requests)
        self.clock = Clock()
        self.is_reached = False
        self.longest_url = dialect.longest_url
        self.links_beside_annotations = True
        self.writing_sets: set[str] = set()
        self.session = open_session(settings, throttle, traffic)
        self.session.headers.update(HEADERS)
        self.session.headers.update(dialect.headers(self.url))
        self._options = {**self.url_options, **options}
        self._budgets = Budgets(dialect.budgets)
        self._retry = RetryPolicy(
            settings.ws_retry_count,
            throttle,
            signer,
            self.concurrency,
            dialect.first_throttle_wait,
        )

    def sign_in(self) -> None:
        """Sign in before the first request.

        Raises:
            SignInError: The sign-in host gave no token.
        """
        self.retrying(self.signer.sign_in)()

    def get(self, path: str) -> requests.Response:
        """Fetch one answer in JSON, with retries.

        Args:
            path: The path and query below the service root.

        Returns:
            The whole answer. Its status is one of success.

        Raises:
            ServiceError: The service refused, or did not answer.
        """
        return self.read(path, lambda response: response)

    def read(
        self,
        path: str,
        take: Callable[[requests.Response], T],
        *,
        accept: str = JSON,
        prefer: str = "",
        batch: tuple[str, bytes] | None = None,
    ) -> T:
        """Read one answer as a stream, with retries.

        Args:
            path: The path and query below the service root; or a URL at the same host.
            take: Reads the body, and raises if it is cut off.
            accept: The media type wanted.
            prefer: The header `Prefer` (RFC 7240).
            batch: The media type and the body of a `$batch`. Its requests only read, so it may be
                retried.

        Returns:
            What `take` returned.

        Raises:
            ServiceError: The service refused, or did not answer.
        """
        url = path if path.startswith(self._host) else self.url + path

        def send() -> T:
            headers, body = {"Accept": accept}, None
            if prefer:
                headers["Prefer"] = prefer
            if batch is not None:
                headers["Content-Type"], body = batch
            with self.session.request(
                "GET" if body is None else "POST",
                with_options(url, self.url_options),
                headers=headers,
                data=body,
                auth=self.signer,
                timeout=self.timeout,
                stream=True,
            ) as response:
                self.check(response)
                if accept == JSON:
                    check_whole(response, self.dialect.errors, is_reached=self.is_reached)
                self.is_reached = True
                return take(response)

        return self.retrying(send)()

    def read_page(
        self,
        url: str,
        *,
        prefer: str = "",
        asked: int = 0,
        headers: Mapping[str, str] = NO_OPTIONS,
        on_answer: Callable[[requests.Response], None] | None = None,
    ) -> RawPage:
        """Read a page of rows, without retries.

        Args:
            url: The absolute URL. The options of each request are added, if it lacks them.
            prefer: The header `Prefer` (RFC 7240).
            asked: How many rows are asked for.
            headers: Further headers, by name.
            on_answer: Called with each answer, also with a refusal.

        Returns:
            The whole page.

        Raises:
            ServiceError: The service refused.
            requests.RequestException: The service was not reached.
        """
        response = self.session.get(
            with_options(url, self._options),
            headers={**({"Prefer": prefer} if prefer else {}), **headers},
            auth=self.signer,
            timeout=self.timeout,
        )
        if on_answer is not None:
            on_answer(response)
        self.check(response)
        hint = response.headers.get(self.dialect.concurrency_hint)
        self.concurrency.answered(response.elapsed.total_seconds(), hint)
        page = split(response, self.dialect, asked, is_reached=self.is_reached)
        self.is_reached = True
        if page.next_link is not None and self._is_root(page.next_link):
            return replace(page, next_link=None, more=True)
        return page

    def _is_root(self, link: str) -> bool:
        """Tell whether a link leads to the service root or above it instead of to rows.

        The answer at the root has the form of a page of rows, and lists entity sets.
        """
        path = urlsplit(self.resolve(link)).path.rstrip("/").lower() + "/"
        root = urlsplit(self.url).path.lower()
        return root.startswith(path) or ROOT.search(path) is not None

    def resolve(self, link: str) -> str:
        """Make a link absolute, on the origin of `service_url`.

        Behind a gateway, links name other hosts, ports and schemes. Only their path and query are
        used, so the access token can go nowhere else.

        Args:
            link: An absolute URL, or one relative to the service root.

        Returns:
            The URL to request.

        Raises:
            ServiceError: The link is not a URL.
        """
        try:
            there = urlsplit(urljoin(self.url, link))
        except ValueError:
            msg = f"The service sent a link to the next page that is no URL: {printable(link)}"
            raise ServiceError(msg) from None
        here = urlsplit(self.url)
        return urlunsplit((here.scheme, here.netloc, there.path or "/", there.query, ""))

    def check(self, response: requests.Response) -> None:
        """Raise if the service did not fulfil a request.

        Args:
            response: The answer. Whether it is whole is not checked.

        Raises:
            ServiceError: The service did not fulfil the request.
        """
        self.clock.answered(response.headers)
        self._budgets.answered(response.headers)
        check(
            response,
            self.dialect.errors,
            lambda: self.signer.advice(self.url),
            is_reached=self.is_reached,
        )

    def retrying(self, send: Callable[P, T]) -> Callable[P, T]:
        """Wrap a request so that it is retried.

        Args:
            send: Sends the request and checks the answer.

        Returns:
            The same function with retries; see `RetryPolicy`.
        """
        return self._retry(send)

    def close(self) -> None:
        """Close the connections."""
        self.session.close()

    def report(self) -> None:
        """Log how near the requests came to the service's limits."""
        if summary := self._budgets.summary():
            logger.info(
                "Lowest remaining %s budget (5-minute window): %s.", self.dialect.service, summary
            )
