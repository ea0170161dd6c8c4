"""Errors that Dataverse alone has, and their words."""

from __future__ import annotations

import uuid

from sandbox.data.model import GERMAN
from sandbox.faults.errors import UNKNOWN_RESOURCE, ServiceError


def no_privilege(user: str, table: str, schema_name: str, type_code: int) -> ServiceError:
    """A table that the caller may not read."""
    privilege = uuid.uuid5(uuid.NAMESPACE_OID, f"prvRead{schema_name}")
    message = (
        f"Principal user (Id={user}, type=8, roleCount=1, privilegeCount=742, accessMode=0), is "
        f"missing prvRead{schema_name} privilege (Id={privilege}) on OTC={type_code} "
        f"for entity '{table}' (LocalizedName='{schema_name}'). context.Caller={user}"
    )
    return ServiceError(403, "0x80040220", message)


def not_readable(table: str) -> ServiceError:
    """A table that has no RetrieveMultiple message."""
    message = (
        f"The 'RetrieveMultiple' method does not support entities of type '{table}'. "
        "MessageProcessorCache returned MessageProcessor.Empty."
    )
    return ServiceError(400, "0x80040800", message)


def unauthorized(tenant: str, authority: str, resource: str) -> ServiceError:
    """A call without a valid token, with the challenge that names where to get one."""
    challenge = (
        f"Bearer authorization_uri={authority}/{tenant}/oauth2/authorize, resource_id={resource}/"
    )
    return ServiceError(401, "0x80048d06", "Unauthorized", {"WWW-Authenticate": challenge})


def not_a_member(language: int) -> ServiceError:
    """A caller whose token is good, but who has no user in the organisation.

    Args:
        language: of the organisation, in which the service says so.
    """
    message = "The user is not a member of the organization."
    if language == GERMAN:
        message = "Der Benutzer ist kein Mitglied der Organisation."
    return ServiceError(403, "0x80072560", message)


def disabled_user() -> ServiceError:
    """A caller whose user is disabled, with a placeholder that the service leaves as it is."""
    message = "The specified user(Id = {0}) is disabled."
    return ServiceError(403, "0x80040225", message)


def no_metadata_changes(status: int) -> ServiceError:
    """A function that the service does not have, refused with one status or another."""
    message = "Resource not found for the segment 'RetrieveMetadataChanges'."
    return ServiceError(status, UNKNOWN_RESOURCE, message)


def not_tracked(table: str) -> ServiceError:
    """A table whose changes are not tracked."""
    return ServiceError(400, "0x80072491", f"Entity {table} isn't enabled for change tracking.")
