"""Errors that an OData service returns, with the messages of Dataverse."""

from __future__ import annotations

QUERY_ERROR = "0x80060888"
UNKNOWN_RESOURCE = "0x8006088a"
NOT_FOUND = "0x80040217"


class ServiceError(Exception):
    """An error response: status, error code and message.

    The source is Microsoft Learn, "Compose HTTP requests and handle errors".

    Args:
        status: Status of the response.
        code: Error code, such as `0x80060888`.
        message: Error message.
        headers: Further headers of the response.
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
        """Return the JSON body."""
        return {"error": {"code": self.code, "message": self.message}}


def bad_query(message: str) -> ServiceError:
    """Return the error for a query that is not understood."""
    return ServiceError(400, QUERY_ERROR, message)


def unknown_property(name: str, type_name: str) -> ServiceError:
    """Return the error for a column that the table does not have."""
    return bad_query(f"Could not find a property named '{name}' on type '{type_name}'.")


def incompatible(left: str, right: str, kind: str) -> ServiceError:
    """Return the error for operands whose types don't fit each other.

    Args:
        left: Type of the left operand.
        right: Type of the right operand.
        kind: Name of the operator in the OData library, such as `Equal`.
    """
    return bad_query(
        "A binary operator with incompatible types was detected. Found operand types "
        f"'{left}' and '{right}' for operator kind '{kind}'."
    )


def unknown_segment(segment: str) -> ServiceError:
    """Return the error for a path that does not exist."""
    message = f"Resource not found for the segment '{segment}'."
    return ServiceError(404, UNKNOWN_RESOURCE, message)


def not_for_metadata(function: str) -> ServiceError:
    """Return the error for a function that queries over metadata do not support."""
    message = f'The "{function}" function isn\'t supported for Metadata Entities'
    return ServiceError(501, UNKNOWN_RESOURCE, message)


def wrong_method(method: str, path: str) -> ServiceError:
    """Return the error for a method that the resource does not support."""
    message = f"No HTTP resource was found that matches the request '{method} {path}'."
    return ServiceError(404, "", message)


def no_record(schema_name: str, key: str) -> ServiceError:
    """Return the error for a row that does not exist."""
    return ServiceError(404, NOT_FOUND, f"{schema_name} With Id = {key} Does Not Exist")


def no_such_table(name: str) -> ServiceError:
    """Return the error for a logical name that does not exist."""
    message = (
        f"The entity with a name = '{name}' with namemapping = 'Logical' was not found in the "
        "MetadataCache."
    )
    return ServiceError(400, "0x80041102", message)


def url_too_long() -> ServiceError:
    """Return the error for a URL of more than 32,768 characters."""
    return ServiceError(414, QUERY_ERROR, "The request URI is too long.")


def timed_out() -> ServiceError:
    """Return the error for a query that takes longer than the service waits for it."""
    return ServiceError(504, "0x80044151", "SQL timeout expired.")


def expired_version_stamp() -> ServiceError:
    """Return the error for a delta token or version stamp that has expired."""
    message = "Version stamp associated with the client has expired. Please perform a full sync."
    return ServiceError(400, "0x80044352", message)
