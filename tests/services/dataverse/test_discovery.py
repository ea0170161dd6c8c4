"""The Global Discovery Service: its host in each cloud."""

from __future__ import annotations

import pytest

from tap_dynamics365.errors import SettingsError
from tap_dynamics365.services.dataverse import discovery
from tap_dynamics365.services.dataverse.kind import DATAVERSE
from tap_dynamics365.services.registry import directory_at, kind_of, with_directory
from tap_dynamics365.settings import JSON_SCHEMA, Settings

COMMERCIAL = "https://globaldisco.crm.dynamics.com/api/discovery/v2.0/"
GCC = "https://globaldisco.crm9.dynamics.com/api/discovery/v2.0/"
GCC_HIGH = "https://globaldisco.crm.microsoftdynamics.us/api/discovery/v2.0/"
DOD = "https://globaldisco.crm.appsplatform.us/api/discovery/v2.0/"
CHINA = "https://globaldisco.crm.dynamics.cn/api/discovery/v2.0/"
OWN = "https://crm.invented.example/api/discovery/v2.0/"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("org.crm.dynamics.com", COMMERCIAL),
        ("org.api.crm4.dynamics.com", COMMERCIAL),
        ("org.crm19.dynamics.com", COMMERCIAL),
        ("org.crm9.dynamics.com", GCC),
        ("org.api.crm.microsoftdynamics.us", GCC_HIGH),
        ("org.crm.appsplatform.us", DOD),
        ("org.crm.dynamics.cn", CHINA),
        ("crm.invented.example", OWN),
        ("crm.dynamics.com.invented.example", OWN.replace("crm.", "crm.dynamics.com.", 1)),
    ],
)
def test_list_is_at_the_host_of_the_cloud_of_service_url(host: str, expected: str) -> None:
    url = f"https://{host}/api/data/v9.2/"
    given = Settings.from_config({"service_url": url, "access_token": "x"}, JSON_SCHEMA)
    assert discovery.url(given) == expected


@pytest.mark.parametrize(
    ("sign_in_host", "expected"),
    [
        ("login.microsoftonline.com", COMMERCIAL),
        ("Login.Windows.net", COMMERCIAL),
        ("login.microsoftonline.us", GCC_HIGH),
        ("login.partner.microsoftonline.cn", CHINA),
        ("login.chinacloudapi.cn", CHINA),
        ("crm.invented.example", OWN),
    ],
)
def test_list_without_service_url_is_that_of_the_sign_in_host(
    sign_in_host: str, expected: str
) -> None:
    token_uri = f"https://{sign_in_host}/invented/oauth2/v2.0/token"
    assert with_directory({"token_uri": token_uri})["service_url"] == expected
    assert with_directory({})["service_url"] == COMMERCIAL
    known = {"service_url": "https://org.crm.dynamics.cn", "token_uri": token_uri}
    assert with_directory(known) == known


@pytest.mark.parametrize("url", [COMMERCIAL, GCC, DOD, OWN, "https://globaldisco.crm.dynamics.com"])
def test_list_is_no_environment_that_the_tap_reads(url: str) -> None:
    assert kind_of(url) is DATAVERSE
    assert directory_at(url) is DATAVERSE.directory
    with pytest.raises(SettingsError, match="service_url is the URL of the discovery service"):
        DATAVERSE.check_url(url)
    assert directory_at("https://org.crm.dynamics.com/api/data/v9.2/") is None
