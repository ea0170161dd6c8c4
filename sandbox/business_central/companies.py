"""Companies and environments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from sandbox.business_central import errors

if TYPE_CHECKING:
    from collections.abc import Iterable

SYSTEM_VERSION = "28.0.41234.0"
#: Environments by name, with their types. They share the rows.
ENVIRONMENTS = {"Production": "Production", "Sandbox": "Sandbox"}


class Company(NamedTuple):
    """A company.

    Attributes:
        id: Its id.
        name: Its name, which can change.
        evaluation: Whether it is a demonstration company.
    """

    id: str
    name: str
    evaluation: bool = False


MAIN = Company("c0a00001-5a4d-ef11-a1b2-6045bd000001", "CRONUS Sandbox Ltd.")
# Has the rows of the main company, with their ids and dates.
COPY = Company("c0a00002-5a4d-ef11-a1b2-6045bd000002", "Copy/Test & Training")
OWN = Company("c0a00003-5a4d-ef11-a1b2-6045bd000003", "O'Neill Söhne GmbH")
EMPTY = Company("c0a00004-5a4d-ef11-a1b2-6045bd000004", "My Company", evaluation=True)
# Refuses the credentials.
CLOSED = Company("c0a00005-5a4d-ef11-a1b2-6045bd000005", "Closed + Secret")
ALL = (MAIN, COPY, OWN, EMPTY, CLOSED)


@dataclass
class Companies:
    """The companies of the environment.

    Attributes:
        all: The companies.
        default: Company of requests that name none.
        closed: Ids or names of companies that refuse the credentials.
    """

    all: list[Company] = field(default_factory=lambda: list(ALL))
    default: str = MAIN.name
    closed: list[str] = field(default_factory=lambda: [CLOSED.id])

    def find(self, text: str) -> Company:
        """Return the company with an id or a name.

        Raises:
            ServiceError: There is no such company.
        """
        for company in self.all:
            if text.lower() == company.id or text == company.name:
                return company
        raise errors.no_company(text)

    def is_closed(self, company: Company) -> bool:
        """Return whether a company refuses the credentials."""
        return not {company.id, company.name}.isdisjoint(self.closed)


def ids(companies: Iterable[Company]) -> list[str]:
    """Return the ids of companies."""
    return [company.id for company in companies]
