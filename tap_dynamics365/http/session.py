"""HTTP session: proxies, TLS, redirects and pauses of all requests of the tap."""

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

# The reasons that OpenSSL gives if the peer does not speak TLS, before and from version 3.2 on.
NO_TLS = {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"}
# The connections that are kept open where the settings don't limit the requests in flight.
CONNECTIONS = 8
# Redirects that keep the method of the request.
KEEP_METHOD = {HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT}


def open_session(
    settings: Settings, throttle: Throttle | None = None, traffic: Traffic | None = None
) -> requests.Session:
    """Open a session for requests to the service or the sign-in host.

    Args:
        settings: The proxy, and how many requests may be in flight.
        throttle: Pauses each request directly before it is sent.
        traffic: Counts requests and bytes.

    Returns:
        A session that uses the proxy of the settings, or else that of the environment. It stores
        no cookies: the service's affinity cookie would bind all requests to one server, and the
        service limits requests per server.
    """
    session = _Session()
    adapter: BaseAdapter
    per_thread = settings.grant is Grant.NTLM
    adapter = (_AdapterPerThread if per_thread else _Adapter)(settings, throttle, traffic)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    if settings.proxy_host:
        host = f"[{settings.proxy_host}]" if ":" in settings.proxy_host else settings.proxy_host
        proxy = f"http://{host}:{settings.proxy_port}"
        session.proxies = {"http": proxy, "https": proxy}
    return session


def is_late(error: requests.RequestException) -> bool:
    """Tell whether a response, or the rest of one, did not arrive in time.

    Args:
        error: The exception of the request.
    """
    # If the rest of a response is late, requests raises a ConnectionError.
    cause = error.args[0] if error.args else None
    return isinstance(error, requests.ReadTimeout) or isinstance(cause, ReadTimeoutError)


def never_connected(error: BaseException | None) -> bool:
    """Tell whether a request failed because no connection to the host was opened.

    Args:
        error: The exception of the request.
    """
    kinds = (NewConnectionError, ConnectTimeoutError)
    return error is not None and any(_cause(error, kind) is not None for kind in kinds)


def failure_reason(error: requests.RequestException) -> str:
    """Describe why there was no response.

    Args:
        error: The exception of the request. Its text is not used, because it may contain secrets.

    Returns:
        One sentence.
    """
    if isinstance(error, requests.Timeout) or is_late(error):
        return "No response in time."
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "The response is cut off."
    if isinstance(error, requests.exceptions.ContentDecodingError):
        return "The response can't be decompressed."
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
    """Explains permanent connection errors, and sends no credentials but those of the tap."""

    def __init__(self) -> None:
        super().__init__()
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.headers["User-Agent"] = USER_AGENT
        # Without this, requests would use the credentials for the host in ~/.netrc.
        self.auth = _no_auth

    @override
    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        parts = urlsplit(request.url or "")
        if self.proxies:
            # By default, requests prefers the proxy of the environment.
            kwargs["proxies"] = self.proxies
        else:
            if "proxies" not in kwargs:
                kwargs["proxies"] = resolve_proxies(request, {}, self.trust_env)
            if proxy := select_proxy(request.url or "", kwargs["proxies"]):
                proxies.check(proxy, parts.scheme)
        if parts.scheme == "https":
            # requests reads the variables with authorities only for some requests.
            kwargs["verify"] = certificates.verify()
        try:
            response = super().send(request, **kwargs)
        except requests.exceptions.ConnectionError as error:
            if reason := _permanent_reason(error, parts.netloc):
                raise TransportError(reason) from None
            raise
        is_refused = response.status_code == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
        if is_refused and select_proxy(request.url or "", kwargs["proxies"]):
            raise TransportError(proxies.AUTHENTICATION_REQUIRED)
        return response

    @override
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return the address that a redirect leads to; None if it is not to be followed.

        A redirect is followed only on the same origin, because the request carries a token. A
        redirect that turns a POST into a GET is not followed, because the body would be lost.
        """
        try:
            target = super().get_redirect_target(resp)
            if target is None or _origin(urljoin(resp.url, target)) != _origin(resp.url):
                return None
        except ValueError:
            return None
        keeps_method = resp.request.method == "GET" or resp.status_code in KEEP_METHOD
        return target if keeps_method else None

    @override
    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        """Keep the signature of a redirected request: the origin is the same.

        By default, requests replaces the signature by the credentials in ~/.netrc.
        """


def _origin(url: str) -> tuple[str, str | None, int | None]:
    """Return the origin of a URL (RFC 6454, section 4)."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or DEFAULT_PORTS.get(parts.scheme)


def _permanent_reason(error: requests.exceptions.ConnectionError, host: str) -> str:
    """Describe an error that a retry does not fix; empty if a retry may help."""
    is_proxy = isinstance(error, requests.exceptions.ProxyError)
    tls = _cause(error, ssl.SSLError)
    if isinstance(tls, ssl.SSLCertVerificationError):
        return certificates.describe(tls, "the proxy" if is_proxy else host)
    if is_proxy and tls is not None and tls.reason in NO_TLS:
        return proxies.NO_TLS
    return proxies.permanent_refusal(error, host) if is_proxy else ""


def _cause(error: BaseException, kind: type[E]) -> E | None:
    """Find an exception of a type among an exception and its causes."""
    found = [error]
    for each in found:
        if isinstance(each, kind):
            return each
        below = (*each.args, getattr(each, "reason", None), each.__cause__, each.__context__)
        found += [more for more in below if isinstance(more, BaseException) and more not in found]
    return None


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class _Adapter(HTTPAdapter):
    """Pauses and counts requests, and signs in to the proxy.

    All requests pass here, including those for tokens, redirects and the steps of a handshake.
    """

    def __init__(
        self, settings: Settings, throttle: Throttle | None, traffic: Traffic | None
    ) -> None:
        self._throttle = throttle
        self._traffic = traffic
        self._proxy_authorization = None
        if settings.proxy_user:
            # RFC 7617, section 2.1: UTF-8. requests itself uses Latin-1.
            pair = f"{settings.proxy_user}:{settings.proxy_password or ''}"
            self._proxy_authorization = f"Basic {base64.b64encode(pair.encode()).decode()}"
        super().__init__(pool_maxsize=settings.max_parallel_requests or CONNECTIONS)

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
    """Uses separate connections for each thread.

    NTLM signs in a connection, not a request. No other request may use the connection between the
    two steps of the sign-in.
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
        """Do nothing: the connections are closed with their threads."""
