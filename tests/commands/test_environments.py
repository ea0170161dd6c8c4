"""`dynamics365 environments`: the environments that an account may use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.identity.tokens import TENANT
from tests.commands.program import dynamics365
from tests.servers.tokens import access_token_of_person

if TYPE_CHECKING:
    from sandbox.central_client import CentralSandbox
    from sandbox.client import Sandbox

INSTANCES = "/api/discovery/v2.0/Instances"
ADMIN_CENTER = "The Power Platform admin center shows the URLs of all environments."


def person(service: Sandbox, **changed: Any) -> dict[str, Any]:
    """Settings of a person who signs in with a public client; None removes one."""
    settings = {
        "service_url": service.service_url,
        "token_uri": service.announced["token_uri"],
        "client_id": service.announced["public_client_id"],
        "refresh_token": service.announced["public_refresh_token"],
        **changed,
    }
    return {name: value for name, value in settings.items() if value is not None}


def listed(service: Sandbox) -> list[str]:
    """Return the paths of the requests for lists that the sandbox answered."""
    paths = [request["path"] for request in service.requests()]
    return [path for path in paths if "discovery" in path or "environments" in path]


@pytest.mark.parametrize("service_url", ["as it is", None, "the origin"])
def test_environments_of_dataverse_are_listed_with_whole_urls(
    service: Sandbox, service_url: str | None
) -> None:
    urls = {"as it is": service.service_url, None: None, "the origin": service.url}
    output = dynamics365("environments", person(service, service_url=urls[service_url]))
    assert (output.status, output.log) == (0, "")
    assert output.lines[0].split() == [
        *("environment", "type", "region", "state", "version", "service_url")
    ]
    assert [line.split("  ")[0] for line in output.lines[1:]] == [
        *("Closed Branch", "Invented Test", "Sandbox & Son, Inc.")
    ]
    assert [line.split()[-1] for line in output.lines[1:]] == [
        "https://invented-org-branch.crm4.dynamics.com",
        "https://invented-org-test.crm4.dynamics.com",
        service.service_url,
    ]
    assert listed(service) == [INSTANCES]


def test_environments_in_json_have_type_region_state_and_version(service: Sandbox) -> None:
    output = dynamics365("environments", person(service, service_url=None), "--json")
    assert json.loads(output.printed)[-2:] == [
        {
            "name": "Invented Test",
            "url": "https://invented-org-test.crm4.dynamics.com",
            "type": "Sandbox",
            "region": "EMEA",
            "state": "enabled",
            "version": "9.2.26112.00170",
        },
        {
            "name": "Sandbox & Son, Inc.",
            "url": service.service_url,
            "type": "Production",
            "region": "NA",
            "state": "enabled",
            "version": "9.2.26113.00152",
        },
    ]


def test_token_endpoint_in_a_connection_url_leads_to_the_list(service: Sandbox) -> None:
    given = person(service)
    url = (
        f"jdbc:datadirect:dynamics365:TokenURI=POST {given['token_uri']};"
        f"ClientID={given['client_id']};RefreshToken={given['refresh_token']};"
    )
    output = dynamics365("environments", {"connection_url": url}, "--json")
    assert len(json.loads(output.printed)) == 3


def test_endpoint_of_version_1_gives_a_token_for_the_list(service: Sandbox) -> None:
    token_uri = service.announced["token_uri"].replace("/v2.0/", "/")
    output = dynamics365("environments", person(service, token_uri=token_uri), "--json")
    assert len(json.loads(output.printed)) == 3


def test_account_without_environments_reads_that_there_are_none(service: Sandbox) -> None:
    before = service.configure(no_environments=True)
    try:
        assert dynamics365("environments", person(service)).lines == ["No environments."]
        assert dynamics365("environments", person(service), "--json").lines == ["[]"]
    finally:
        service.configure(**before)


def test_app_that_signs_in_as_itself_is_told_to_sign_in_as_a_person(service: Sandbox) -> None:
    settings = {**service.settings, "refresh_token": None}
    refusal = dynamics365("environments", settings).refusal()
    assert refusal == (
        "The Global Discovery Service lists the environments of a person, not of an app that signs "
        f"in as itself: sign in as a person with dynamics365 login. {ADMIN_CENTER}"
    )
    assert not service.requests()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"client_id": None}, "Setting client_id is missing: refresh_token requires the ID"),
        ({"refresh_token": None}, "No way to sign in is configured: "),
        ({"refresh_token": None, "azure_credential": "managed_identity"}, "lists the environments"),
        (
            {"authentication_method": "NTLM", "ntlm_domain": "x", "user": "y", "password": "z"},
            "lists environments in the cloud, where authentication_method=NTLM is not accepted.",
        ),
        (
            {"service_url": "https://yourorg.operations.dynamics.com"},
            "Finance & Operations has no list of environments. The Power Platform admin center",
        ),
        ({"token_uri": "https://[", "service_url": None}, "Setting token_uri must be an absolute"),
    ],
)
def test_settings_that_give_no_list_are_refused_before_any_request(
    service: Sandbox, changed: dict[str, Any], words: str
) -> None:
    assert words in dynamics365("environments", person(service, **changed)).refusal()
    assert not service.requests()


def test_access_token_goes_only_to_the_host_that_it_was_issued_for(service: Sandbox) -> None:
    form = {"refresh_token": None, "client_id": None, "token_uri": None}
    settings = person(service, **form, access_token=access_token_of_person(service))
    assert len(dynamics365("environments", settings).lines) == 4
    elsewhere = service.service_url.replace("127.0.0.1", "localhost")
    for changed in ({"service_url": elsewhere}, {"access_token": "invented-token"}):
        service.clear_requests()
        refusal = dynamics365("environments", {**settings, **changed}).refusal()
        assert refusal.startswith("The token in access_token was not issued for ")
        assert not service.requests()


def test_token_that_the_list_refuses_is_reported(service: Sandbox) -> None:
    service.fault(INSTANCES, status=401, count=None)
    refusal = dynamics365("environments", person(service)).refusal()
    host = service.url.removeprefix("http://")
    assert refusal.startswith(f"The Global Discovery Service at {host} did not list the ")
    assert "It does not accept the sign-in." in refusal


def test_server_without_a_list_is_told_where_the_url_is(central: CentralSandbox) -> None:
    settings = {**central.settings, "service_url": f"{central.url}/api/data/v9.2/"}
    refusal = dynamics365("environments", settings).refusal()
    assert refusal.endswith(
        "Only the cloud has this service: elsewhere, take service_url from the address of the app "
        "in your browser."
    )


@pytest.mark.parametrize("path", [f"/{TENANT}", f"/{TENANT}/Sandbox/api/v2.0"])
def test_environments_of_business_central_are_listed(central: CentralSandbox, path: str) -> None:
    settings = {**central.settings, "service_url": f"{central.url}/v2.0{path}"}
    output = dynamics365("environments", settings)
    root = f"{central.url}/v2.0/{TENANT}"
    assert (output.status, output.log) == (0, "")
    assert [line.split() for line in output.lines] == [
        ["environment", "type", "region", "service_url"],
        ["Production", "Production", "US", f"{root}/Production/api/v2.0/"],
        ["Sandbox", "Sandbox", "US", f"{root}/Sandbox/api/v2.0/"],
    ]
    assert listed(central) == ["/environments/v1.2"]


def test_business_central_on_premises_has_no_list(central: CentralSandbox) -> None:
    settings = {**central.settings, "service_url": f"{central.url}/BC/api/v2.0/"}
    refusal = dynamics365("environments", settings).refusal()
    assert refusal.startswith("Only Business Central online lists environments.")
    assert not central.requests()
