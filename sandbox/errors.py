"""What the service refuses, and in which words."""

from __future__ import annotations

import uuid

from sandbox.model import GERMAN

QUERY_ERROR = "0x80060888"
UNKNOWN_RESOURCE = "0x8006088a"
NOT_FOUND = "0x80040217"


class ServiceError(Exception):
    """A refusal: status, error code and message, as the Web API sends them.

    The source is Microsoft Learn, "Compose HTTP requests and handle errors".
    """

    def __init__(
        self, status: int, code: str, message: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}

    def body(self) -> dict[str, dict[str, str]]:
        """The JSON body."""
        return {"error": {"code": self.code, "message": self.message}}


def bad_query(message: str) -> ServiceError:
    """A query that cannot be understood."""
    return ServiceError(400, QUERY_ERROR, message)


def unknown_property(name: str, type_name: str) -> ServiceError:
    """A column that the table does not have."""
    return bad_query(f"Could not find a property named '{name}' on type '{type_name}'.")


def unknown_segment(segment: str) -> ServiceError:
    """A path that leads nowhere."""
    message = f"Resource not found for the segment '{segment}'."
    return ServiceError(404, UNKNOWN_RESOURCE, message)


def not_for_metadata(function: str) -> ServiceError:
    """A function that queries over metadata do not have."""
    message = f'The "{function}" function isn\'t supported for Metadata Entities'
    return ServiceError(501, UNKNOWN_RESOURCE, message)


def no_metadata_changes(status: int) -> ServiceError:
    """A function that the service does not have, refused with one status or another."""
    message = "Resource not found for the segment 'RetrieveMetadataChanges'."
    return ServiceError(status, UNKNOWN_RESOURCE, message)


def wrong_method(method: str, path: str) -> ServiceError:
    """A method that the resource does not have."""
    message = f"No HTTP resource was found that matches the request '{method} {path}'."
    return ServiceError(404, "", message)


def no_record(schema_name: str, key: str) -> ServiceError:
    """A row that is not there."""
    return ServiceError(404, NOT_FOUND, f"{schema_name} With Id = {key} Does Not Exist")


def no_such_table(name: str) -> ServiceError:
    """A logical name that is not in the metadata."""
    message = (
        f"The entity with a name = '{name}' with namemapping = 'Logical' was not found in the "
        "MetadataCache."
    )
    return ServiceError(400, "0x80041102", message)


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


def url_too_long() -> ServiceError:
    """A URL above 32,768 characters."""
    return ServiceError(414, QUERY_ERROR, "The request URI is too long.")


def expired_version_stamp() -> ServiceError:
    """A delta token that is too old."""
    message = "Version stamp associated with the client has expired. Please perform a full sync."
    return ServiceError(400, "0x80044352", message)


def not_tracked(table: str) -> ServiceError:
    """A table whose changes are not tracked."""
    return ServiceError(400, "0x80072491", f"Entity {table} isn't enabled for change tracking.")
