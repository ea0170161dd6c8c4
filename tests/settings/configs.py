"""Configurations that the tests of the settings share."""

from __future__ import annotations

from typing import Any

import pytest

from tap_dynamics365.errors import SettingsError
from tap_dynamics365.settings import JSON_SCHEMA, Settings
from tap_dynamics365.settings.connection_url import PREFIX

SERVICE = "https://org.api.crm.dynamics.com/api/data/v9.2/"
TOKEN_URI = "https://login.microsoftonline.com/common/oauth2/v2.0/token"  # noqa: S105 - a URL
SECRET = "s3cr3t~of/mine+=="  # noqa: S105 - an invented one
TOKEN = "the-token"  # noqa: S105 - as above
#: Settings that are enough for a run, of a service that does not exist: nothing listens there.
OFFLINE = {"service_url": "http://127.0.0.1:9/api/data/v9.2/", "access_token": SECRET}

ACCESS_TOKEN = {"service_url": SERVICE, "access_token": TOKEN}
REFRESH_TOKEN = {
    "service_url": SERVICE,
    "client_id": "the-client",
    "token_uri": TOKEN_URI,
    "refresh_token": TOKEN,
}
CLIENT_SECRET = {"service_url": SERVICE, "client_id": "the-client", "client_secret": SECRET}
CLIENT_CERTIFICATE = {
    "service_url": SERVICE,
    "client_id": "the-client",
    "client_certificate": "certificate.pem",
}
AZURE = {"service_url": SERVICE, "azure_credential": "managed_identity"}
NTLM = {
    "service_url": SERVICE,
    "authentication_method": "NTLM",
    "ntlm_domain": "CORP",
    "user": "reader",
    "password": SECRET,
}
BASIC = {
    "service_url": SERVICE,
    "authentication_method": "Basic",
    "user": "reader",
    "password": SECRET,
}
#: A value of each setting that a way to sign in needs.
VALUES: dict[str, Any] = {
    **REFRESH_TOKEN,
    **CLIENT_SECRET,
    **CLIENT_CERTIFICATE,
    **AZURE,
    **NTLM,
    **ACCESS_TOKEN,
    "connection_url": f"{PREFIX}ServiceURL={SERVICE};AccessToken={TOKEN}",
}
PROXY = {
    **ACCESS_TOKEN,
    "proxy_host": "proxy.example",
    "proxy_port": 8080,
    "proxy_user": "someone",
    "proxy_password": SECRET,
}


def read(**config: Any) -> Settings:
    """Read a configuration."""
    return Settings.from_config(config, JSON_SCHEMA)


def refusal(**config: Any) -> str:
    """Read a configuration that is refused, and return the message."""
    with pytest.raises(SettingsError) as caught:
        read(**config)
    assert "\n" not in caught.value.message
    assert SECRET not in caught.value.message
    return caught.value.message


def without(config: dict[str, Any], name: str) -> dict[str, Any]:
    """Take one setting out of a configuration."""
    return {key: value for key, value in config.items() if key != name}
