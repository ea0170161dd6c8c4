"""Which URLs lead to Finance & Operations, and settings that it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from tap_dynamics365.connection import connect
from tap_dynamics365.errors import SettingsError
from tap_dynamics365.login.app import App
from tap_dynamics365.services.registry import kind_of
from tap_dynamics365.settings import JSON_SCHEMA, Settings
from tests.servers.scripted import answer
from tests.services.finance_operations.service import customer, rows
from tests.services.finance_operations.service import running as service
from tests.tap import choose

NAME = "Finance & Operations"
HOSTS = [
    "invented.operations.dynamics.com",
    "INVENTED.sandbox.Operations.Dynamics.com",
    "invented.operations.eu.dynamics.com",
    "inventedaos.cloudax.dynamics.com",
    "usnconeboxax1aos.cloud.onebox.dynamics.com",
    "aos-rts-invented.hr.talent.dynamics.com",
]


def settings(url: str, **others: Any) -> Settings:
    """Settings that lead to a URL."""
    config = {"service_url": url, "access_token": "invented-access-token", **others}
    return Settings.from_config(config, JSON_SCHEMA)


@pytest.mark.parametrize("host", [*HOSTS, "ax.invented.example/namespaces/AXSF", "127.0.0.1:80"])
@pytest.mark.parametrize("path", ["/data", "/data/", "/Data/", "/DATA//"])
def test_url_with_the_path_data_leads_to_finance_operations(host: str, path: str) -> None:
    url = f"https://{host}{path}"
    assert kind_of(url).name == NAME
    assert connect(settings(url)).kind.name == NAME


def test_url_of_human_resources_leads_to_finance_operations() -> None:
    url = "https://aos-invented.hr.talent.dynamics.com/namespaces/11111111-2222-3333/data/"
    assert connect(settings(url)).kind.name == NAME


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("path", ["", "/", "/data/CustomersV3", "/metadata", "/api/services"])
def test_url_without_the_path_data_is_refused_with_the_way_out(host: str, path: str) -> None:
    with pytest.raises(SettingsError, match="add /data/ to the URL of the environment") as caught:
        connect(settings(f"https://{host}{path}"))
    assert caught.value.message.startswith("Setting service_url must end with")


@pytest.mark.parametrize(
    "url",
    [
        "https://operations-invented.crm4.dynamics.com/",
        "https://operations-invented.crm4.dynamics.com/data/",
        "https://invented.operations.dynamics.com/api/data/v9.2/",
        "https://gateway.example/api/data/",
        "https://gateway.example/metadata/",
        "https://gateway.example/data/more/",
        "https://api.businesscentral.dynamics.com/v2.0/production/api/v2.0/",
        "https://gateway.example/BC/ODataV4/",
        "https://invented.notoperations.dynamics.com/",
        "https://operations.dynamics.com.gateway.example/",
    ],
)
def test_other_url_does_not_lead_to_finance_operations(url: str) -> None:
    assert kind_of(url).name != NAME


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("metadata_streams", True),
        ("show_name_columns", True),
        ("replication_method", "LOG_BASED"),
        ("replication_method", "log_based"),
    ],
)
def test_setting_that_only_dataverse_has_is_refused(name: str, value: object) -> None:
    with service(**{name: value}) as running:
        run = running.tap.run("--discover")
        assert not running.server.asked
    assert name in run.refusal()
    assert "only Dataverse" in run.refusal()


def test_catalog_with_log_based_is_refused() -> None:
    with service(cross_company=True) as running:
        catalog = running.tap.discover()
        running.server.asked.clear()
        run = running.tap.run(
            catalog=choose(catalog, "CustomersV3", replication_method="LOG_BASED")
        )
        assert not running.server.asked
    assert "LOG_BASED for 'CustomersV3': only Dataverse" in run.refusal()
    assert not run.output


@pytest.mark.parametrize(
    "url",
    ["https://invented.crm4.dynamics.com/api/data/v9.2/", "https://gateway.example/odata/"],
)
def test_cross_company_for_another_service_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="cross_company to true: only Finance & Operations"):
        connect(settings(url, cross_company=True))
    assert connect(settings(url, cross_company=False))


def test_connection_url_of_the_driver_may_have_cross_company() -> None:
    url = "jdbc:datadirect:dynamics365:ServiceURL=https://invented.operations.dynamics.com/data;"
    others = {"service_url": None, "access_token": None}
    for written, meant in (
        ("CrossCompany=TRUE;", True),
        ("crosscompany=false;", False),
        ("", None),
    ):
        config = {**others, "connection_url": f"{url}AccessToken=invented;{written}"}
        assert Settings.from_config(config, JSON_SCHEMA).cross_company is meant


def test_connection_test_says_that_a_row_arrived() -> None:
    with service({"CustomersV3": rows(customer(1))}, tables=["CustomersV3"]) as running:
        run = running.tap.run("--test")
    assert run.status == 0, run.log
    assert "CustomersV3: 1 row." in run.logged("INFO")


SIGN_IN_PAGE = "https://login.microsoftonline.com/common/oauth2/authorize"


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        (answer(b"", 401, P3P='CP="No P3P policy defined."'), "does not say where to sign in"),
        (answer(b"", 302, Location=SIGN_IN_PAGE), "a redirect, as for a browser"),
    ],
    ids=["401", "302"],
)
def test_sign_in_of_an_app_without_the_tenant_asks_for_token_uri(
    refused: bytes, words: str
) -> None:
    app = {"access_token": None, "client_id": "invented", "client_secret": "invented-secret"}
    with service() as running:
        running.server.script[:] = [refused]
        sentence = running.tap.but(**app).run("--discover").refusal()
    assert "set token_uri, such as https://login.microsoftonline.com/<tenant>" in sentence
    assert words in sentence


def test_person_signs_in_with_the_permission_of_the_service() -> None:
    url = "https://Invented.operations.dynamics.com/data"
    app = App(settings(url, client_id="invented"))
    assert app.scope == "https://invented.operations.dynamics.com/Odata.FullAccess offline_access"
    dataverse = App(
        settings("https://invented.crm4.dynamics.com/api/data/v9.2/", client_id="invented")
    )
    assert dataverse.scope.startswith("https://invented.crm4.dynamics.com/user_impersonation")


def test_service_says_at_which_host_a_person_is() -> None:
    with service() as running:
        opened = connect(settings(running.tap.settings["service_url"]))
        identity = opened.kind.who_am_i(opened.client)
        opened.client.close()
    assert identity.page == f"At 127.0.0.1:{running.server.port}."
    assert "Dataverse" not in f"{identity.user} {identity.organization}"
