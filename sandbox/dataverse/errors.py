"""Errors that only Dataverse has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.data.model import GERMAN
from sandbox.faults.errors import UNKNOWN_RESOURCE, ServiceError
from sandbox.metadata import privileges

if TYPE_CHECKING:
    from sandbox.data.model import Table


def no_privilege(user: str, table: Table) -> ServiceError:
    """Return the error for a table that the caller may not read.

    Args:
        user: Id of the caller's user.
        table: The table.
    """
    privilege = privileges.name(table)
    message = (
        f"Principal user (Id={user}, type=8, roleCount=1, privilegeCount=742, accessMode=0), is "
        f"missing {privilege} privilege (Id={privileges.identifier(privilege)}) on "
        f"OTC={table.type_code} for entity '{table.name}' (LocalizedName='{table.schema_name}'). "
        f"context.Caller={user}"
    )
    return ServiceError(403, "0x80040220", message)


def not_readable(table: str) -> ServiceError:
    """Return the error for a table without the RetrieveMultiple message."""
    message = (
        f"The 'RetrieveMultiple' method does not support entities of type '{table}'. "
        "MessageProcessorCache returned MessageProcessor.Empty."
    )
    return ServiceError(400, "0x80040800", message)


def unauthorized(tenant: str, authority: str, resource: str) -> ServiceError:
    """Return the error for a request without a valid token, with the challenge.

    Args:
        tenant: Tenant of the sign-in host.
        authority: Scheme and host of the sign-in host.
        resource: Resource that a token must be for.
    """
    challenge = (
        f"Bearer authorization_uri={authority}/{tenant}/oauth2/authorize, resource_id={resource}/"
    )
    return ServiceError(401, "0x80048d06", "Unauthorized", {"WWW-Authenticate": challenge})


def not_a_member(language: int) -> ServiceError:
    """Return the error for a caller without a user in the organisation.

    Args:
        language: Language of the organisation, and of the message.
    """
    message = "The user is not a member of the organization."
    if language == GERMAN:
        message = "Der Benutzer ist kein Mitglied der Organisation."
    return ServiceError(403, "0x80072560", message)


def disabled_user() -> ServiceError:
    """Return the error for a caller whose user is disabled.

    The placeholder in the message is the service's.
    """
    message = "The specified user(Id = {0}) is disabled."
    return ServiceError(403, "0x80040225", message)


def no_metadata_changes(status: int) -> ServiceError:
    """Return the error of a service without the function `RetrieveMetadataChanges`."""
    message = "Resource not found for the segment 'RetrieveMetadataChanges'."
    return ServiceError(status, UNKNOWN_RESOURCE, message)


def not_tracked(table: str) -> ServiceError:
    """Return the error for a table without change tracking."""
    return ServiceError(400, "0x80072491", f"Entity {table} isn't enabled for change tracking.")
