"""The connection to the service: a session, and what makes a request succeed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, ParamSpec, TypeVar
from urllib.parse import urljoin, urlsplit, urlunsplit

import requests

from tap_dynamics365.auth import authenticator
from tap_dynamics365.errors import ServiceError
from tap_dynamics365.http.concurrency import Parallelism
from tap_dynamics365.http.response import JSON, check, check_whole
from tap_dynamics365.http.retry import Retrying
from tap_dynamics365.http.server_time import Clock
from tap_dynamics365.http.session import open_session
from tap_dynamics365.http.throttle import Throttle
from tap_dynamics365.http.traffic import Traffic
from tap_dynamics365.odata.query import LONGEST_URL
from tap_dynamics365.redaction import printable
from tap_dynamics365.services.dataverse import errors
from tap_dynamics365.services.dataverse.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_dynamics365.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger("tap-dynamics365.service")

HEADERS = {
    "Accept": JSON,
    "OData-MaxVersion": "4.0",
    "OData-Version": "4.0",
}

# Pages have megabytes; in the 10 kB pieces that requests takes them in by default, reading one
# costs several times the processor time, and in pieces of any size there are copies of it. There
# is no setting for it but this constant; None takes a body in as a whole.
requests.models.CONTENT_CHUNK_SIZE = None  # type: ignore[assignment]  # as `iter_content` takes it


class Service:
    """One Dynamics 365 service and the session that speaks to it.

    Args:
        settings: Address, sign-in and time-out.

    Attributes:
        url: The address of the Web API, with a slash at its end.
        session: Shared by all requests.
        timeout: Seconds to wait for an answer, or None to wait for ever.
        parallelism: How many requests may be in flight now.
        clock: Tells the service's time.
        throttle: What holds all requests back, those of the sign-in too.
        traffic: What counts them.
        is_reached: Whether the service itself has answered: a web page in place of an answer is a
            gateway's from then on, and passes.
        longest_url: The most characters that an address may have, as far as has been seen.
        links_beside_annotations: Whether a tracked read may ask for annotations too and still has
            its delta link, as far as has been seen.
    """

    def __init__(self, settings: Settings) -> None:
        self.url = settings.service_url
        self.throttle = Throttle(settings.ws_retry_wait_limit)
        self.traffic = Traffic()
        self.authenticator = authenticator(settings, self.throttle, self.traffic)
        self.timeout = settings.ws_timeout or None
        self.parallelism = Parallelism(settings.max_parallel_requests)
        self.session = open_session(settings, self.throttle, self.traffic)
        self.session.headers.update(HEADERS)
        self.clock = Clock()
        self.is_reached = False
        self.longest_url = LONGEST_URL
        self.links_beside_annotations = True
        self._limits = Limits()
        self._retrying = Retrying(
            settings.ws_retry_count, self.throttle, self.authenticator, self.parallelism
        )

    @property
    def is_dataverse(self) -> bool:
        """Whether the address is one of Dataverse's Web API."""
        return "/api/data/v" in self.url.lower()

    def sign_in(self) -> None:
        """Sign in ahead of the first request, trying again where that helps.

        Raises:
            SignInError: The sign-in host gave no token.
        """
        self.retrying(self.authenticator.sign_in)()

    def get(self, path: str) -> requests.Response:
        """Fetch one answer in JSON, repeating the request where that helps.

        Args:
            path: What follows the service's address, with its query.

        Returns:
            The answer, all of it. Its status is one of success.

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
        """Read one answer while it arrives, repeating the request where that helps.

        Args:
            path: What follows the service's address, with its query.
            take: Reads the body, and raises if it breaks off.
            accept: The media type wanted.
            prefer: What else is wished for (RFC 7240).
            batch: What is sent along, and before it the media type: the requests of a `$batch`,
                all of which only read, so that it too may be repeated.

        Returns:
            What was read.

        Raises:
            ServiceError: The service refused, or did not answer.
        """

        def send() -> T:
            headers, body = {"Accept": accept}, None
            if prefer:
                headers["Prefer"] = prefer
            if batch is not None:
                headers["Content-Type"], body = batch
            with self.session.request(
                "GET" if body is None else "POST",
                self.url + path,
                headers=headers,
                data=body,
                auth=self.authenticator,
                timeout=self.timeout,
                stream=True,
            ) as response:
                self.check(response)
                return take(response)

        return self.retrying(send)()

    def resolve(self, link: str) -> str:
        """Make a link of the service absolute, on the origin of `service_url`.

        Behind a gateway, links name hosts, ports and schemes that are not those of `service_url`.
        They are followed by path and query: so the access token can go nowhere else.

        Args:
            link: An absolute URL, or one relative to the service's address.

        Returns:
            The URL as it is to be requested.

        Raises:
            ServiceError: It is no URL.
        """
        try:
            there = urlsplit(urljoin(self.url, link))
        except ValueError:
            msg = f"The service sent a link to the next page that is no URL: {printable(link)}"
            raise ServiceError(msg) from None
        here = urlsplit(self.url)
        return urlunsplit((here.scheme, here.netloc, there.path or "/", there.query, ""))

    def check(self, response: requests.Response, *, is_whole: bool = False) -> None:
        """Raise if the service did not fulfil a request.

        Args:
            response: What it answered.
            is_whole: Whether something else looks if all of it came.

        Raises:
            ServiceError: It did not.
        """
        self.clock.answered(response.headers)
        self._limits.answered(response.headers)
        advice = self.authenticator.advice
        check(response, errors, lambda: advice(self.url), is_reached=self.is_reached)
        if is_whole:
            return
        if response.request.headers.get("Accept") == JSON:
            check_whole(response, is_reached=self.is_reached)
        self.is_reached = True

    def retrying(self, send: Callable[P, T]) -> Callable[P, T]:
        """Wrap a request so that it is repeated where that helps.

        Args:
            send: Makes the request and checks the answer.

        Returns:
            The same; see `Retrying`.
        """
        return self._retrying(send)

    def report(self) -> None:
        """Say how near the requests came to the service's limits."""
        if summary := self._limits.summary():
            logger.info("Least that was left of the service's limits of five minutes: %s.", summary)
