"""What the service refuses, and in which words."""

from __future__ import annotations

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


def url_too_long() -> ServiceError:
    """A URL above 32,768 characters."""
    return ServiceError(414, QUERY_ERROR, "The request URI is too long.")


def expired_version_stamp() -> ServiceError:
    """A delta token that is too old."""
    message = "Version stamp associated with the client has expired. Please perform a full sync."
    return ServiceError(400, "0x80044352", message)
