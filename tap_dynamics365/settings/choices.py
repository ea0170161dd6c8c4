"""Choices: the values of settings that accept a closed set of words."""

from __future__ import annotations

from enum import StrEnum


class AuthenticationMethod(StrEnum):
    """Values of `authentication_method`."""

    OAUTH2 = "OAuth2"
    NTLM = "NTLM"
    BASIC = "Basic"


class AzureCredential(StrEnum):
    """Values of `azure_credential`."""

    DEFAULT = "default"
    MANAGED_IDENTITY = "managed_identity"
    WORKLOAD_IDENTITY = "workload_identity"
    AZURE_CLI = "azure_cli"


class CreateMap(StrEnum):
    """Values of `create_map`: when the cache `schema_map` is rebuilt."""

    ON_CHANGE = "OnChange"
    NOT_EXIST = "NotExist"
    FORCE_NEW = "ForceNew"
    NO = "No"
    SESSION = "Session"


class CallLimitBehavior(StrEnum):
    """Values of `stmt_call_limit_behavior`: what happens at `stmt_call_limit`."""

    ERROR_ALWAYS = "ErrorAlways"
    RETURN_RESULTS = "ReturnResults"
