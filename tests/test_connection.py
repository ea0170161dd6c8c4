"""Connection: which service a URL leads to, and URLs that lead to none."""

from __future__ import annotations

import pytest

from tap_dynamics365.connection import connect
from tap_dynamics365.errors import Failure, SettingsError
from tap_dynamics365.http.refusal import Refusal
from tap_dynamics365.services.dataverse.kind import DATAVERSE
from tap_dynamics365.services.registry import kind_of
from tap_dynamics365.settings import JSON_SCHEMA, Settings

HOSTS = ["org.crm4.dynamics.com", "ORG.api.CRM.Dynamics.com", "org.crm.dynamics.cn"]


def settings(url: str) -> dict[str, str]:
    """Settings that lead to a URL."""
    return {"service_url": url, "access_token": "invented-access-token"}


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("path", ["", "/", "/main.aspx", "/api/data", "/api/data/v9.2/accounts"])
def test_url_of_dataverse_without_the_web_api_is_refused_with_the_way_out(
    host: str, path: str
) -> None:
    with pytest.raises(SettingsError, match=r"add /api/data/v9\.2/"):
        connect(Settings.from_config(settings(f"https://{host}{path}"), JSON_SCHEMA))


@pytest.mark.parametrize("host", [*HOSTS, "gateway.example"])
@pytest.mark.parametrize("path", ["/api/data/v9.2/", "/API/Data/V8.0", "/org/api/data/v9.1/"])
def test_url_with_the_web_api_leads_to_dataverse_on_any_host(host: str, path: str) -> None:
    assert kind_of(f"https://{host}{path}").name == "Dataverse"


def test_url_of_another_path_keeps_the_errors_and_annotations_of_dataverse() -> None:
    """It may be a Dataverse behind a gateway."""
    other = kind_of("https://gateway.example/odata/")
    assert other.name != "Dataverse"
    timed_out = Refusal(messages=("Execution Timeout Expired.",))
    assert other.dialect.errors.classify(timed_out, 500) is Failure.TOO_LARGE
    assert other.dialect.errors.classify(Refusal("0x80072322"), 500) is Failure.THROTTLED
    for attribute in ("more_rows", "concurrency_hint", "budgets", "key_columns", "is_keyset_link"):
        assert getattr(other.dialect, attribute) == getattr(DATAVERSE.dialect, attribute)
