"""The Global Discovery Service of the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    from tests.sandbox.api import Api

CLOUD = "https://globaldisco.crm.dynamics.com"


def instances(api: Api, query: str = "") -> str:
    """Return the URL of the environments."""
    return f"{api.sandbox.url}/api/discovery/v2.0/Instances{query}"


def test_environments_have_the_documented_columns(api: Api) -> None:
    first, *others = api.read(instances(api))["value"]
    assert first.keys() == {
        *("ApiUrl", "DatacenterId", "DatacenterName", "EnvironmentId", "FriendlyName", "Id"),
        *("IsUserSysAdmin", "LastUpdated", "OrganizationType", "Purpose", "Region", "SchemaType"),
        *("State", "StatusMessage", "TenantId", "TrialExpirationDate", "UniqueName", "UrlName"),
        *("Version", "Url"),
    }
    assert first["ApiUrl"] == api.sandbox.url
    assert api.get(f"{first['ApiUrl']}/api/data/v9.2/WhoAmI").status_code == 200
    assert [(row["State"], row["OrganizationType"]) for row in others] == [(0, 5), (1, 5)]


def test_environments_have_the_selected_columns(api: Api) -> None:
    rows = api.read(instances(api, "?$select=FriendlyName,Url"))["value"]
    assert {tuple(row) for row in rows} == {("FriendlyName", "Url")}
    for query in ("?$select=DisplayName", "?$filter=State eq 0"):
        assert api.get(instances(api, query)).status_code == 400
    assert api.get(instances(api).replace("Instances", "Others")).status_code == 404


def test_environments_are_listed_for_persons_with_a_token_for_the_list(api: Api) -> None:
    def status(**form: str | None) -> int:
        api.session.headers["Authorization"] = f"Bearer {api.token(**form).json()['access_token']}"
        return api.get(instances(api)).status_code

    app = {"grant_type": "client_credentials", "refresh_token": None}
    assert status(scope=f"{CLOUD}/user_impersonation") == 200
    assert status(scope=f"{api.sandbox.url}/user_impersonation") == 200
    assert status(scope="https://sandbox.crm.dynamics.com/user_impersonation") == 401
    assert status(scope=f"{CLOUD}/.default", **app) == 401


def test_request_without_a_token_is_told_to_sign_in_at_no_tenant(api: Api) -> None:
    answer = requests.get(instances(api), timeout=60)
    assert answer.status_code == 401
    assert answer.json() == {"Message": "Authorization has been denied for this request."}
    assert f"{api.sandbox.url}/common/oauth2/authorize, " in answer.headers["WWW-Authenticate"]
