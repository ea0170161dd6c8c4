"""Sign-ins of people: authorization code with PKCE, device code."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import requests

from sandbox.client import SandboxError
from tests.sandbox.api import TIMEOUT, Api

if TYPE_CHECKING:
    from sandbox.client import Sandbox

REDIRECT = "http://localhost:8400"
VERIFIER = "invented-verifier-of-more-than-forty-three-letters"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode()
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def _query(sandbox: Sandbox, **changes: str | None) -> dict[str, str]:
    asked: dict[str, str | None] = {
        "client_id": sandbox.announced["public_client_id"],
        "response_type": "code",
        "redirect_uri": REDIRECT,
        "scope": f"{sandbox.url}/user_impersonation offline_access",
        "state": "invented state",
        "code_challenge": CHALLENGE.rstrip("="),
        "code_challenge_method": "S256",
        **changes,
    }
    return {name: value for name, value in asked.items() if value is not None}


def _answer(sandbox: Sandbox, choice: str = "sign-in", **changes: str | None) -> requests.Response:
    """Press a button of the page."""
    return requests.post(
        sandbox.announced["authorization_uri"],
        params=_query(sandbox, **changes),
        data={"answer": choice},
        allow_redirects=False,
        timeout=TIMEOUT,
    )


def _led_to(response: requests.Response) -> tuple[str, dict[str, str]]:
    """Where a person is led, and with what."""
    assert response.status_code == 302, response.text
    parts = urlsplit(response.headers["Location"])
    found = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return f"{parts.scheme}://{parts.netloc}{parts.path}", found


def _redeem(api: Api, code: str, **changes: str | None) -> requests.Response:
    form: dict[str, str | None] = {
        "grant_type": "authorization_code",
        "client_id": api.sandbox.announced["public_client_id"],
        "client_secret": None,
        "refresh_token": None,
        "code": code,
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
        **changes,
    }
    return api.token(**form)


def _codes(response: requests.Response) -> list[int]:
    codes: list[int] = response.json()["error_codes"]
    return codes


def test_sign_in_page_names_the_person_and_has_two_buttons(sandbox: Sandbox) -> None:
    url = sandbox.announced["authorization_uri"]
    page = requests.get(url, params=_query(sandbox), timeout=TIMEOUT).text
    for part in ("Ada Sandbox", ">Sign in</button>", ">Cancel</button>"):
        assert part in page


def test_sign_in_that_is_approved_redirects_with_a_code(api: Api) -> None:
    place, answer = _led_to(_answer(api.sandbox))
    assert place == f"{REDIRECT}/"
    assert answer["state"] == "invented state"
    tokens = _redeem(api, answer["code"]).json()
    api.session.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    user = api.read(f"systemusers({api.read('WhoAmI')['UserId']})")
    assert user["fullname"] == "Ada Sandbox"
    public = {"client_id": api.sandbox.announced["public_client_id"], "client_secret": None}
    again = api.token(refresh_token=tokens["refresh_token"], **public)
    assert again.status_code == 200


def test_sign_in_that_is_cancelled_redirects_with_the_error(sandbox: Sandbox) -> None:
    place, answer = _led_to(_answer(sandbox, "cancel"))
    assert place == f"{REDIRECT}/"
    assert (answer["error"], answer["state"]) == ("access_denied", "invented state")
    assert "AADSTS65004" in answer["error_description"]
    assert "code" not in answer


@pytest.mark.parametrize(
    "redirect", ["http://127.0.0.1:41999", "http://localhost", "http://localhost:1/"]
)
def test_redirect_to_any_loopback_port_is_accepted(api: Api, redirect: str) -> None:
    place, answer = _led_to(_answer(api.sandbox, redirect_uri=redirect))
    assert place.rstrip("/") == redirect.rstrip("/")
    assert _redeem(api, answer["code"], redirect_uri=redirect).status_code == 200


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"redirect_uri": "https://elsewhere.example/"}, 50011),
        ({"redirect_uri": "http://localhost:8400/callback"}, 50011),
        ({"redirect_uri": None}, 50011),
        ({"client_id": "another"}, 700016),
    ],
)
def test_redirect_that_is_not_registered_shows_an_error_page(
    sandbox: Sandbox, changes: dict[str, str | None], code: int
) -> None:
    response = _answer(sandbox, **changes)
    assert response.status_code == 400
    assert f"AADSTS{code}" in response.text


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": None}, "invalid_request"),
        ({"scope": "https://elsewhere.example/.default"}, "invalid_resource"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"response_mode": "form_post"}, "invalid_request"),
    ],
)
def test_authorization_request_that_is_invalid_redirects_with_the_error(
    sandbox: Sandbox, changes: dict[str, str | None], error: str
) -> None:
    _, answer = _led_to(_answer(sandbox, **changes))
    assert answer["error"] == error
    assert answer["error_description"].startswith("AADSTS")


def test_authorization_code_is_refused_the_second_time(api: Api) -> None:
    _, answer = _led_to(_answer(api.sandbox))
    assert _redeem(api, answer["code"]).status_code == 200
    assert _codes(_redeem(api, answer["code"])) == [54005]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"code_verifier": "another"}, 501481),
        ({"code_verifier": None}, 501481),
        ({"redirect_uri": "http://localhost:8401"}, 500112),
        ({"redirect_uri": None}, 900144),
        ({"code": None}, 900144),
        ({"code": "another"}, 9002313),
    ],
)
def test_authorization_code_of_another_request_is_refused(
    api: Api, changes: dict[str, str | None], code: int
) -> None:
    _, answer = _led_to(_answer(api.sandbox))
    assert _codes(_redeem(api, **{"code": answer["code"], **changes})) == [code]
    assert _redeem(api, answer["code"]).status_code == 200


def test_authorization_code_of_another_app_is_refused(api: Api) -> None:
    _, answer = _led_to(_answer(api.sandbox))
    settings = api.sandbox.settings
    other = {name: settings[name] for name in ("client_id", "client_secret")}
    assert _codes(_redeem(api, answer["code"], **other)) == [9002313]


def test_authorization_code_of_a_confidential_app_is_redeemed(api: Api) -> None:
    settings = api.sandbox.settings
    client = {name: settings[name] for name in ("client_id", "client_secret")}
    plain = {"code_challenge": None, "code_challenge_method": None}
    _, answer = _led_to(_answer(api.sandbox, client_id=client["client_id"], **plain))
    assert _redeem(api, answer["code"], code_verifier=None, **client).status_code == 200


def test_scopes_add_a_refresh_token_and_an_id_token(api: Api) -> None:
    scope = f"{api.sandbox.url}/.default"
    _, answer = _led_to(_answer(api.sandbox, scope=scope))
    assert {"refresh_token", "id_token"}.isdisjoint(_redeem(api, answer["code"]).json())
    _, answer = _led_to(_answer(api.sandbox, scope=f"{scope} openid offline_access"))
    tokens = _redeem(api, answer["code"]).json()
    claims = jwt.decode(tokens["id_token"], options={"verify_signature": False})
    assert (claims["name"], "refresh_token" in tokens) == ("Ada Sandbox", True)


def _begin(api: Api, **changes: str) -> dict[str, Any]:
    form = {
        "client_id": api.sandbox.announced["public_client_id"],
        "scope": f"{api.sandbox.url}/user_impersonation offline_access",
        **changes,
    }
    url = api.sandbox.announced["device_authorization_uri"]
    answer: dict[str, Any] = requests.post(url, data=form, timeout=TIMEOUT).json()
    return answer


def _poll(api: Api, device_code: str) -> requests.Response:
    return api.token(
        grant_type=DEVICE_GRANT,
        client_id=api.sandbox.announced["public_client_id"],
        client_secret=None,
        refresh_token=None,
        device_code=device_code,
    )


def _refused(response: requests.Response) -> tuple[str, list[int]]:
    return response.json()["error"], _codes(response)


def test_device_polls_until_its_code_is_entered(api: Api) -> None:
    device = _begin(api)
    assert (device["expires_in"], device["interval"]) == (900, 5)
    assert device["user_code"] in device["message"]
    assert device["verification_uri"] in device["message"]
    pending = ("authorization_pending", [70016])
    assert _refused(_poll(api, device["device_code"])) == pending
    page = device["verification_uri"]
    assert 'name="user_code"' in requests.get(page, timeout=TIMEOUT).text
    typed = {"user_code": device["user_code"].lower()}
    choice = requests.post(page, data=typed, timeout=TIMEOUT).text
    assert "Ada Sandbox" in choice
    assert _refused(_poll(api, device["device_code"])) == pending
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="(\w+)"', choice))
    done = requests.post(page, data={**hidden, "answer": "sign-in"}, timeout=TIMEOUT).text
    assert "You may now close this window" in done
    tokens = _poll(api, device["device_code"]).json()
    assert {"access_token", "refresh_token"} <= set(tokens)
    assert _codes(_poll(api, device["device_code"])) == [54005]


def test_user_code_that_is_unknown_is_refused(api: Api) -> None:
    page = _begin(api)["verification_uri"]
    answer = requests.post(page, data={"user_code": "<wrong>"}, timeout=TIMEOUT).text
    assert "didn't work" in answer
    assert "<wrong>" not in answer
    with pytest.raises(SandboxError, match="No device waits"):
        api.sandbox.approve_device("WRONG")


def test_device_is_approved_or_declined_without_a_browser(api: Api) -> None:
    one, other = _begin(api), _begin(api)
    api.sandbox.approve_device(one["user_code"])
    api.sandbox.decline_device(other["user_code"])
    assert _poll(api, one["device_code"]).status_code == 200
    assert _refused(_poll(api, other["device_code"])) == ("authorization_declined", [65004])


def test_device_code_expires(api: Api) -> None:
    before = api.sandbox.configure(device_code_lifetime=0, device_code_interval=0)
    device = _begin(api)
    api.sandbox.configure(**before)
    assert (device["expires_in"], device["interval"]) == (0, 0)
    assert _refused(_poll(api, device["device_code"])) == ("expired_token", [70020])


def test_device_code_that_is_unknown_is_refused(api: Api) -> None:
    assert _refused(_poll(api, "another")) == ("bad_verification_code", [70018])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"client_id": "another"}, 700016),
        ({"scope": ""}, 900144),
        ({"scope": "https://elsewhere.example/.default"}, 500011),
    ],
)
def test_device_request_that_is_invalid_is_refused(
    api: Api, changes: dict[str, str], code: int
) -> None:
    assert _begin(api, **changes)["error_codes"] == [code]
