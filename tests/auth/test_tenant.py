"""Tenant, read from the challenge of a service: only known sign-in hosts are accepted."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from typing_extensions import override

from tap_dynamics365.auth.tenant import SIGN_IN_HOSTS, Tenant, discover, from_challenge
from tap_dynamics365.errors import SignInError, TransientSignInError
from tap_dynamics365.http.session import open_session
from tap_dynamics365.settings import JSON_SCHEMA, Settings
from tests.servers.front import Answering, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

ID = "5a4db0c0-5a4d-4b0c-8b0c-5a4db0c05a4d"
TOKEN_URI = f"https://login.microsoftonline.com/{ID}/oauth2/v2.0/token"
GIVEN = f"https://login.microsoftonline.com/{ID}/oauth2/authorize"
RESOURCE = "https://org.crm.dynamics.com/"


def refusal(challenge: str) -> str:
    """Read a challenge that is refused, and return the message."""
    with pytest.raises(SignInError) as caught:
        from_challenge(challenge, "org.crm.dynamics.com")
    assert "token_uri" in caught.value.message
    assert "\n" not in caught.value.message
    return caught.value.message


@pytest.mark.parametrize(
    "challenge",
    [
        f"Bearer authorization_uri={GIVEN}, resource_id={RESOURCE}",
        f"Bearer authorization_uri={GIVEN},resource_id={RESOURCE}",
        f"Bearer resource_id={RESOURCE}, authorization_uri={GIVEN}",
        f'Bearer authorization_uri="{GIVEN}", resource_id="{RESOURCE}"',
        f'Bearer realm="", authorization_uri = "{GIVEN}" , error="invalid_token"',
        f"bearer Authorization_URI={GIVEN};resource_id={RESOURCE}",
        f"Bearer authorization_uri={GIVEN} resource_id={RESOURCE}",
        f"Negotiate, NTLM, Bearer authorization_uri={GIVEN}",
        f'Bearer client_id="00000007", authorization_uri="{GIVEN}?x=1#y"',
        f'Bearer authorization="{GIVEN}"',
        f"Bearer authorization_uri=https://login.microsoftonline.com:443/{ID}/oauth2/authorize",
        f"Bearer authorization_uri=https://login.microsoftonline.com/{ID}",
        f"Bearer authorization_uri=HTTPS://LOGIN.MicrosoftOnline.com/{ID}/",
    ],
)
def test_challenge_in_each_spelling_names_the_tenant(challenge: str) -> None:
    found = from_challenge(challenge, "org.crm.dynamics.com")
    assert found == Tenant(
        TOKEN_URI,
        TOKEN_URI.replace("token", "authorize"),
        TOKEN_URI.replace("token", "devicecode"),
    )


@pytest.mark.parametrize("host", sorted(SIGN_IN_HOSTS))
@pytest.mark.parametrize("name", [ID, "common", "contoso.onmicrosoft.com"])
def test_challenge_of_each_cloud_names_its_sign_in_host(host: str, name: str) -> None:
    found = from_challenge(f"Bearer authorization_uri=https://{host}/{name}/oauth2/authorize", "x")
    assert found.token_uri == f"https://{host}/{name}/oauth2/v2.0/token"


@pytest.mark.parametrize(
    "address",
    [
        GIVEN.replace("https", "http"),
        f"https://login.microsoftonline.com.invented.example/{ID}/oauth2/authorize",
        f"https://login.microsoftonline.com@invented.example/{ID}/oauth2/authorize",
        f"https://invented.example/login.microsoftonline.com/{ID}/oauth2/authorize",
        f"https://login.microsoftonline.com:8443/{ID}/oauth2/authorize",
        f"https://login.microsoftonline.com:x/{ID}/oauth2/authorize",
        f"https://login.microsoftonline.com./{ID}/oauth2/authorize",
        f"https://evil-login.microsoftonline.com/{ID}/oauth2/authorize",
        "https://login.microsoftonline.com/",
        "https://login.microsoftonline.com/../oauth2/authorize",
        "https://login.microsoftonline.com/a%2fb/oauth2/authorize",
        "https://adfs.invented.example/adfs/oauth2/authorize",
        "https://[::1/oauth2/authorize",
        "login.microsoftonline.com",
        "",
    ],
)
def test_challenge_that_names_another_host_is_refused(address: str) -> None:
    message = refusal(f'Bearer authorization_uri="{address}"')
    assert "authorize" not in message


@pytest.mark.parametrize("challenge", ["", "Bearer", "Negotiate", 'Basic realm="x"', "Bearer x=y"])
def test_challenge_without_an_address_is_refused(challenge: str) -> None:
    assert "does not say where to sign in" in refusal(challenge)


PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "Bearer",
                "authorization_uri",
                "resource_id",
                "=",
                '"',
                ",",
                " ",
                "https://",
                "/",
                "@",
                "\\",
                ":",
                "?",
                "#",
                ID,
                "login.microsoftonline.com",
                "invented.example",
                GIVEN,
            ]
        ),
        st.text(max_size=3),
    )
)


@given(PIECES.map("".join))
@example(f"Bearer authorization_uri=https://invented.example\\@login.microsoftonline.com/{ID}")
@example(f"Bearer authorization_uri=https://login.microsoftonline.com\\@invented.example/{ID}")
@example("Bearer authorization_uri=https://login.microsoftonline.com/é")
def test_challenge_of_any_text_names_a_known_host_or_is_refused(challenge: str) -> None:
    try:
        found = from_challenge(challenge, "x")
    except SignInError:
        return
    for address in (found.token_uri, found.authorization_uri, found.device_authorization_uri):
        parts = urlsplit(address)
        assert (parts.scheme, parts.query, parts.fragment) == ("https", "", "")
        assert parts.netloc in SIGN_IN_HOSTS
        assert parts.path.count("/") == 4


@given(
    name=st.from_regex(r"[0-9a-zA-Z]([0-9a-zA-Z.-]{0,40}[0-9a-zA-Z])?", fullmatch=True),
    host=st.sampled_from(sorted(SIGN_IN_HOSTS)),
    scheme=st.sampled_from(["Bearer ", "bearer   ", "Negotiate, Bearer "]),
    quote=st.sampled_from(["", '"']),
    equals=st.sampled_from(["=", " = ", "= "]),
    more=st.lists(
        st.sampled_from([f"resource_id={RESOURCE}", 'realm="a b"', "error=invalid_token"]),
        max_size=3,
        unique=True,
    ),
    separator=st.sampled_from([",", ", ", " , ", "; "]),
    place=st.integers(0, 3),
)
def test_challenge_with_any_order_and_separators_names_the_tenant(  # noqa: PLR0913 - it has many parts
    *,
    name: str,
    host: str,
    scheme: str,
    quote: str,
    equals: str,
    more: list[str],
    separator: str,
    place: int,
) -> None:
    address = f"https://{host}/{name}/oauth2/authorize"
    parameters = [*more]
    parameters.insert(place, f"authorization_uri{equals}{quote}{address}{quote}")
    found = from_challenge(scheme + separator.join(parameters), "x")
    assert found.token_uri == f"https://{host}/{name}/oauth2/v2.0/token"


def test_tenant_from_a_token_uri_has_the_endpoints_next_to_it() -> None:
    older = "https://login.microsoftonline.com/common/oauth2/token"
    assert Tenant.from_token_uri(older) == Tenant(
        older,
        "https://login.microsoftonline.com/common/oauth2/authorize",
        "https://login.microsoftonline.com/common/oauth2/devicecode",
    )


@contextmanager
def answering(status: int, headers: dict[str, str]) -> Iterator[str]:
    """Serve the same answer to each request without a token; yield the service URL."""

    class Handler(Answering):
        @override
        def serve(self) -> None:
            # Without an answer, the test fails.
            assert "Authorization" not in self.headers
            self.answer(status, [*headers.items()], b"")

    with serving(Handler) as server:
        yield f"http://127.0.0.1:{server.server_port}/api/data/v9.2/"


def ask(service_url: str) -> Tenant:
    """Learn the tenant as the tap does."""
    config = {"service_url": service_url, "access_token": "x"}
    return discover(service_url, open_session(Settings.from_config(config, JSON_SCHEMA)))


def test_tenant_is_requested_without_a_token() -> None:
    challenge = f"Bearer authorization_uri={GIVEN}, resource_id={RESOURCE}"
    with answering(401, {"WWW-Authenticate": challenge}) as address:
        assert ask(address).token_uri == TOKEN_URI


@pytest.mark.parametrize("status", [200, 302, 403, 404, 501])
def test_service_without_a_challenge_is_reported(status: int) -> None:
    with answering(status, {"Location": GIVEN}) as address, pytest.raises(SignInError) as caught:
        ask(address)
    assert not isinstance(caught.value, TransientSignInError)
    for words in (str(status), "service_url", "token_uri"):
        assert words in caught.value.message


@pytest.mark.parametrize("status", [429, 500, 503, 520])
def test_service_that_is_busy_is_a_transient_failure(status: int) -> None:
    with (
        answering(status, {"Retry-After": "3"}) as address,
        pytest.raises(TransientSignInError) as caught,
    ):
        ask(address)
    assert caught.value.response is not None
    assert caught.value.response.headers["Retry-After"] == "3"
    for words in (str(status), "service_url", "token_uri"):
        assert words in caught.value.message


def test_service_that_is_unreachable_is_a_transient_failure() -> None:
    with answering(401, {}) as address:
        pass
    with pytest.raises(TransientSignInError) as caught:
        ask(address)
    assert urlsplit(address).netloc in caught.value.message
