"""Who signed in, and where."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from typing_extensions import override

from tap_dynamics365.auth.authenticator import RenewingAuthenticator
from tap_dynamics365.errors import ServiceError
from tap_dynamics365.redaction import printable

if TYPE_CHECKING:
    from tap_dynamics365.auth.token_endpoint import Tokens
    from tap_dynamics365.odata.client import Service


@dataclass(frozen=True)
class Identity:
    """A person as the service knows them.

    Args:
        user: Their name and ID, as far as they may be read.
        organisation: The same of the organisation.
        page: Both in a few words, without IDs.
    """

    user: str
    organisation: str
    page: str


class _SignedIn(RenewingAuthenticator):
    """Signs requests with the token of somebody who has just signed in."""

    def __init__(self, tokens: Tokens) -> None:
        super().__init__()
        self._tokens = tokens

    @override
    def fetch(self) -> Tokens:
        return self._tokens


def ask(service: Service, tokens: Tokens) -> Identity:
    """Ask the service for whom it takes the person that signed in.

    Described at https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/whoami

    Args:
        service: The service.
        tokens: Those of that person.

    Returns:
        Who it is. The two tables that have the names may not be readable; IDs always are.

    Raises:
        ServiceError: The service does not take the token, or does not know the person.
    """
    service.authenticator = _SignedIn(tokens)
    place = urlsplit(service.url).netloc
    if not service.is_dataverse:
        # The other services of Dynamics 365 do not tell; that they answer has to do.
        _read(service, "")
        return Identity("a user whom the service does not name", "not named", f"At {place}.")
    answer = _read(service, "WhoAmI")
    user_id, organisation_id = _text(answer, "UserId"), _text(answer, "OrganizationId")
    user = _row(service, f"systemusers({user_id})?$select=fullname,domainname")
    organisation = _row(service, f"organizations({organisation_id})?$select=name")
    name, account, called = (
        _text(user, "fullname"),
        _text(user, "domainname"),
        _text(organisation, "name"),
    )
    person = f"{name} ({account})" if name and account else name or account
    return Identity(
        user=f"{person}, user {user_id}" if person else f"user {user_id}",
        organisation=f"{called}, {organisation_id}" if called else organisation_id,
        page=f"As {person or user_id}, at {f'{called} ({place})' if called else place}.",
    )


def _text(row: dict[str, Any], name: str) -> str:
    """Take a text out of an answer; what is missing is an empty one."""
    return printable(str(row.get(name) or ""))


def _row(service: Service, path: str) -> dict[str, Any]:
    """Read a row, or nothing where that is not allowed."""
    try:
        return _read(service, path)
    except ServiceError:
        return {}


def _read(service: Service, path: str) -> dict[str, Any]:
    """Read one JSON object."""
    try:
        answer = json.loads(service.get(path).content)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        msg = f"What answered at {service.url} is not a Dynamics 365: check service_url."
        raise ServiceError(msg)
    return answer
