"""The way to the hosts: every request of the tap goes through a session made here."""

from __future__ import annotations

import base64
import ssl
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from threading import local
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.utils import resolve_proxies, select_proxy
from typing_extensions import override
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ReadTimeoutError

from tap_dynamics365 import __version__
from tap_dynamics365.errors import TransportError
from tap_dynamics365.http import certificates, proxies
from tap_dynamics365.settings import DEFAULT_PORTS
from tap_dynamics365.settings.grant import Grant

if TYPE_CHECKING:
    from tap_dynamics365.http.throttle import Throttle
    from tap_dynamics365.http.traffic import Traffic
    from tap_dynamics365.settings import Settings

E = TypeVar("E", bound=BaseException)

USER_AGENT = f"tap-dynamics365/{__version__}"

# What OpenSSL says of a peer that does not speak TLS; the name has changed in its version 3.2.
NO_TLS = {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"}
KEEPING_THE_METHOD = {HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT}


def open_session(
    settings: Settings, throttle: Throttle | None = None, traffic: Traffic | None = None
) -> requests.Session:
    """Make a session for requests to the service or the sign-in host.

    Args:
        settings: The proxy, and how many requests may be under way at once.
        throttle: Holds requests back, up to the last moment before they go out.
        traffic: Counts them, and what comes back.

    Returns:
        A session that goes through the proxy of the settings, or else through that of the
        environment, and keeps no cookies: the service's affinity cookie would pin all requests
        to one server, and limits count per server.
    """
    made = _Session()
    adapter: BaseAdapter
    per_thread = settings.grant is Grant.NTLM
    adapter = (_AdapterPerThread if per_thread else _Adapter)(settings, throttle, traffic)
    made.mount("https://", adapter)
    made.mount("http://", adapter)
    if settings.proxy_host:
        host = f"[{settings.proxy_host}]" if ":" in settings.proxy_host else settings.proxy_host
        proxy = f"http://{host}:{settings.proxy_port}"
        made.proxies = {"http": proxy, "https": proxy}
    return made


def is_late(error: requests.RequestException) -> bool:
    """Tell whether an answer, or the rest of one, did not come in time.

    Args:
        error: What was raised.
    """
    # Of the rest of one, requests says that the connection was lost.
    cause = error.args[0] if error.args else None
    return isinstance(error, requests.ReadTimeout) or isinstance(cause, ReadTimeoutError)


def never_connected(error: BaseException | None) -> bool:
    """Tell whether a request failed because there was no connection to the host at all.

    Args:
        error: What was raised.
    """
    kinds = (NewConnectionError, ConnectTimeoutError)
    return error is not None and any(_cause(error, kind) is not None for kind in kinds)


def failure_reason(error: requests.RequestException) -> str:
    """Tell in a few words why there was no answer.

    Args:
        error: What was raised. Its own text tells every layer it went through, and may hold
            what is secret.

    Returns:
        One sentence.
    """
    if isinstance(error, requests.Timeout) or is_late(error):
        return "No answer in time."
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "The answer breaks off."
    if isinstance(error, requests.exceptions.ContentDecodingError):
        return "The answer is not compressed as it says."
    url = error.request.url if error.request is not None else None
    host = urlsplit(url or "").netloc
    if isinstance(error, requests.exceptions.ProxyError):
        return proxies.reason(error, host or "the host")
    tls = _cause(error, ssl.SSLError)
    what = type(error).__name__
    if tls is not None and tls.reason:
        what = f"No TLS connection ({tls.reason.replace('_', ' ').lower()})"
    return f"{what}{f' at {host}' if host else ''}."


class _Session(requests.Session):
    """A session that tells what bars the way, and gives away nothing it was not told to."""

    def __init__(self) -> None:
        super().__init__()
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.headers["User-Agent"] = USER_AGENT
        # Without one, requests would sign with what it finds for the host in ~/.netrc.
        self.auth = _unsigned

    @override
    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        parts = urlsplit(request.url or "")
        if self.proxies:
            # requests would let the environment's proxy win.
            kwargs["proxies"] = self.proxies
        else:
            if "proxies" not in kwargs:
                kwargs["proxies"] = resolve_proxies(request, {}, self.trust_env)
            if proxy := select_proxy(request.url or "", kwargs["proxies"]):
                proxies.check(proxy, parts.scheme)
        if parts.scheme == "https":
            # requests looks for files of authorities for some requests only.
            kwargs["verify"] = certificates.trusted()
        try:
            response = super().send(request, **kwargs)
        except requests.exceptions.ConnectionError as error:
            if final := _final(error, parts.netloc):
                raise TransportError(final) from None
            raise
        wants_a_user = response.status_code == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
        if wants_a_user and select_proxy(request.url or "", kwargs["proxies"]):
            raise TransportError(proxies.WANTS_A_USER)
        return response

    @override
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Tell where to follow a redirect to; None leaves it to whoever reads the answer.

        What signs a request may not leave its origin, and a POST that became a GET would ask for
        something else.
        """
        try:
            target = super().get_redirect_target(resp)
            if target is None or _origin(urljoin(resp.url, target)) != _origin(resp.url):
                return None
        except ValueError:
            return None
        is_repeated = resp.request.method == "GET" or resp.status_code in KEEPING_THE_METHOD
        return target if is_repeated else None

    @override
    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        """Leave a redirected request signed as it is: the origin is the same.

        requests would sign it anew with what it finds for the host in ~/.netrc.
        """


def _origin(url: str) -> tuple[str, str | None, int | None]:
    """Tell the origin of an address (RFC 6454, section 4)."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or DEFAULT_PORTS.get(parts.scheme)


def _final(error: requests.exceptions.ConnectionError, host: str) -> str:
    """Tell what bars the way for good; nothing if it may be gone when the request is repeated."""
    is_proxy = isinstance(error, requests.exceptions.ProxyError)
    tls = _cause(error, ssl.SSLError)
    if isinstance(tls, ssl.SSLCertVerificationError):
        return certificates.untrusted(tls, "the proxy" if is_proxy else host)
    if is_proxy and tls is not None and tls.reason in NO_TLS:
        return proxies.NO_TLS
    return proxies.refusal(error, host) if is_proxy else ""


def _cause(error: BaseException, kind: type[E]) -> E | None:
    """Find the error of a kind that others were raised for."""
    found = [error]
    for each in found:
        if isinstance(each, kind):
            return each
        below = (*each.args, getattr(each, "reason", None), each.__cause__, each.__context__)
        found += [more for more in below if isinstance(more, BaseException) and more not in found]
    return None


def _unsigned(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class _Adapter(HTTPAdapter):
    """Lets requests go when they may, counts them, and tells the proxy, and it alone, who asks.

    All pass here: tokens, redirects and the steps of a handshake too.
    """

    def __init__(
        self, settings: Settings, throttle: Throttle | None, traffic: Traffic | None
    ) -> None:
        self._throttle = throttle
        self._traffic = traffic
        self._proxy_authorization = None
        if settings.proxy_user:
            # RFC 7617, section 2.1: UTF-8, where requests itself knows Latin-1 only.
            pair = f"{settings.proxy_user}:{settings.proxy_password or ''}"
            self._proxy_authorization = f"Basic {base64.b64encode(pair.encode()).decode()}"
        super().__init__(pool_maxsize=settings.max_parallel_requests)

    @override
    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        if self._throttle is not None:
            self._throttle.wait()
        if self._traffic is None:
            return super().send(request, *args, **kwargs)
        self._traffic.sent()
        response = super().send(request, *args, **kwargs)
        self._traffic.watch(response.raw)
        return response

    @override
    def proxy_headers(self, proxy: str) -> dict[str, str]:
        if self._proxy_authorization is None:
            return super().proxy_headers(proxy)
        return {"Proxy-Authorization": self._proxy_authorization}


class _AdapterPerThread(BaseAdapter):
    """Keeps the connections of each thread apart.

    NTLM signs in a connection, not a request, in two steps between which no other request may
    come.
    """

    def __init__(
        self, settings: Settings, throttle: Throttle | None, traffic: Traffic | None
    ) -> None:
        super().__init__()
        self._settings = settings
        self._throttle = throttle
        self._traffic = traffic
        self._local = local()

    @override
    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        if not hasattr(self._local, "adapter"):
            self._local.adapter = _Adapter(self._settings, self._throttle, self._traffic)
        adapter: _Adapter = self._local.adapter
        return adapter.send(request, *args, **kwargs)

    @override
    def close(self) -> None:
        """Do nothing: the connections end with their threads."""
