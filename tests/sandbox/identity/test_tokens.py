"""Token endpoint, and the authentication challenge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.sandbox.api import TIMEOUT, Api

if TYPE_CHECKING:
    from sandbox.client import Sandbox


def _ask(url: str, **form: str) -> requests.Response:
    return requests.post(url, data=form, timeout=TIMEOUT)


def test_refresh_token_grant_returns_tokens(api: Api) -> None:
    answer = api.token().json()
    assert answer["token_type"] == "Bearer"  # noqa: S105  - no secret
    assert answer["expires_in"] == 3599
    again = api.token(refresh_token=answer["refresh_token"]).json()
    assert (
        len(
            {api.sandbox.settings["refresh_token"], answer["refresh_token"], again["refresh_token"]}
        )
        == 3
    )
    assert api.token().status_code == 200


def test_v1_endpoint_returns_numbers_as_strings(api: Api) -> None:
    settings = api.sandbox.settings
    url = settings["token_uri"].replace("/v2.0/", "/")
    form = {k: settings[k] for k in ("client_id", "client_secret", "refresh_token")}
    answer = _ask(url, grant_type="refresh_token", resource=api.sandbox.url, **form).json()
    assert answer["expires_in"] == "3599"
    assert answer["expires_on"].isdecimal()
    assert answer["resource"] == api.sandbox.url


def test_client_credentials_grant_returns_an_access_token(api: Api) -> None:
    settings = api.sandbox.settings
    form = {k: settings[k] for k in ("client_id", "client_secret")}
    grant = "client_credentials"
    scope = f"{api.sandbox.url}/.default"
    answer = _ask(settings["token_uri"], grant_type=grant, scope=scope, **form).json()
    assert "refresh_token" not in answer
    api.session.headers["Authorization"] = f"Bearer {answer['access_token']}"
    assert api.get("WhoAmI").status_code == 200
    for wrong, code in (
        (f"{api.sandbox.url}/user_impersonation", 1002012),
        ("https://elsewhere.example/.default", 500011),
    ):
        refused = _ask(settings["token_uri"], grant_type=grant, scope=wrong, **form)
        assert refused.json()["error_codes"] == [code]


@pytest.mark.parametrize(
    ("changes", "status", "error", "code"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_secret": None}, 401, "invalid_client", 7000218),
        ({"client_id": "11111111-1111-1111-1111-111111111111"}, 400, "unauthorized_client", 700016),
        ({"refresh_token": "wrong"}, 400, "invalid_grant", 9002313),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"scope": "https://elsewhere.example/.default"}, 400, "invalid_resource", 500011),
    ],
)
def test_token_request_that_is_invalid_is_refused_with_its_code(
    api: Api, changes: dict[str, str | None], status: int, error: str, code: int
) -> None:
    response = api.token(**changes)
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["error"], body["error_codes"]) == (status, error, [code])
    assert body["error_description"].startswith(f"AADSTS{code}: ")
    for part in (f"Trace ID: {body['trace_id']}", f"Correlation ID: {body['correlation_id']}"):
        assert part in body["error_description"]
    assert body["timestamp"].endswith("Z")


def test_public_client_with_a_secret_is_refused(api: Api) -> None:
    announced = api.sandbox.announced
    public = {
        "client_id": announced["public_client_id"],
        "refresh_token": announced["public_refresh_token"],
    }
    assert api.token(**public).json()["error_codes"] == [700025]
    assert api.token(**public, client_secret=None).status_code == 200


def test_token_request_for_an_unknown_tenant_is_refused(api: Api) -> None:
    url = f"{api.sandbox.url}/nowhere.example/oauth2/v2.0/token"
    assert _ask(url, grant_type="refresh_token").json()["error_codes"] == [90002]


@pytest.mark.parametrize(
    ("reason", "code"), [("revoked", 50173), ("inactive", 700082), ("expired", 70008)]
)
def test_refresh_token_that_is_revoked_is_refused(own: Sandbox, reason: str, code: int) -> None:
    api = Api(own)
    spare = api.token().json()["refresh_token"]
    own.revoke(spare, reason)
    body = api.token(refresh_token=spare).json()
    assert (body["error"], body["error_codes"]) == ("invalid_grant", [code])


def test_refresh_token_of_single_use_is_refused_the_second_time(own: Sandbox) -> None:
    api = Api(own)
    first = api.token().json()["refresh_token"]
    before = own.configure(single_use_refresh_tokens=True)
    second = api.token(refresh_token=first)
    assert second.status_code == 200
    assert api.token(refresh_token=first).json()["error_codes"] == [70000]
    own.configure(**before)


def test_request_without_a_valid_token_gets_a_challenge(own: Sandbox) -> None:
    api = Api(own)
    assert api.get("WhoAmI").status_code == 200
    own.expire_tokens()
    response = api.get("WhoAmI")
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == (
        f"Bearer authorization_uri={own.url}/{own.announced['tenant_id']}/oauth2/authorize, "
        f"resource_id={own.url}/"
    )
    api.session.headers.pop("Authorization")
    assert api.get("$metadata").status_code == 401
    api.sign_in()
    assert api.get("WhoAmI").status_code == 200


def test_access_token_expires_after_its_lifetime(own: Sandbox) -> None:
    before = own.configure(token_lifetime=0)
    api = Api(own)
    assert api.get("WhoAmI").status_code == 401
    own.configure(**before)


def test_openid_configuration_names_the_endpoints(api: Api) -> None:
    tenant = api.sandbox.announced["tenant_id"]
    url = f"{api.sandbox.url}/{tenant}/v2.0/.well-known/openid-configuration"
    assert (
        requests.get(url, timeout=TIMEOUT).json()["token_endpoint"]
        == (api.sandbox.settings["token_uri"])
    )


def test_challenge_names_the_configured_sign_in_host(own: Sandbox) -> None:
    before = own.configure(authority_url="https://login.microsoftonline.com")
    challenge = requests.get(f"{own.service_url}WhoAmI", timeout=TIMEOUT).headers
    own.configure(**before)
    tenant = own.announced["tenant_id"]
    assert challenge["WWW-Authenticate"].startswith(
        f"Bearer authorization_uri=https://login.microsoftonline.com/{tenant}/oauth2/authorize, "
    )


def test_access_token_for_another_organisation_is_refused(api: Api) -> None:
    for resource, status in (
        (api.sandbox.url, 200),
        ("https://sandbox.crm.dynamics.com", 200),
        ("https://sandbox.api.crm.dynamics.com", 200),
        ("https://another.crm.dynamics.com", 401),
    ):
        answer = api.token(scope=f"{resource}/.default").json()
        api.session.headers["Authorization"] = f"Bearer {answer['access_token']}"
        assert api.get("WhoAmI").status_code == status, resource


def test_refresh_token_keeps_its_resource(api: Api) -> None:
    first = api.token(scope="https://another.crm.dynamics.com/.default").json()
    again = api.token(refresh_token=first["refresh_token"]).json()
    api.session.headers["Authorization"] = f"Bearer {again['access_token']}"
    assert api.get("WhoAmI").status_code == 401


@pytest.mark.parametrize(
    ("switch", "code", "words"),
    [
        ("not_a_member", "0x80072560", "The user is not a member of the organization."),
        ("disabled_user", "0x80040225", "is disabled"),
    ],
)
def test_caller_without_an_enabled_user_is_refused(
    own: Sandbox, switch: str, code: str, words: str
) -> None:
    api = Api(own)
    own.configure(**{switch: True})
    refusal = api.refusal("WhoAmI")
    own.configure(**{switch: False})
    assert refusal[:2] == (403, code)
    assert words in refusal[2]


def test_refusal_that_is_ordered_has_the_code_of_entra_id(api: Api) -> None:
    api.sandbox.refuse_sign_in(50076, "interaction_required")
    body = api.token().json()
    assert (body["error"], body["error_codes"]) == ("interaction_required", [50076])
    assert body["error_description"].startswith("AADSTS50076: ")
    assert api.token().status_code == 200


def test_issued_secrets_are_listed(api: Api) -> None:
    answer = api.token().json()
    assert {answer["access_token"], answer["refresh_token"]} <= set(api.sandbox.issued())


def test_token_of_another_authority_is_introspected(api: Api, own: Sandbox) -> None:
    """The other one is a sandbox too, which answers as it is told to."""
    api.session.headers["Authorization"] = "Bearer of-another-authority"
    address = own.url.replace("http://", "http://invented-service:invented-secret@")
    for active, status in ((True, 200), (False, 401)):
        own.fault("/introspection", method="POST", status=200, body={"active": active})
        before = api.sandbox.configure(introspection_url=f"{address}/introspection")
        assert api.get("WhoAmI").status_code == status
        api.sandbox.configure(**before)
    assert own.requests()[-1]["authorization"] is True
