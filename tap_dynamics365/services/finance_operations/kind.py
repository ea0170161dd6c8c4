"""FINANCE_OPERATIONS: the ServiceKind of Finance & Operations.

https://learn.microsoft.com/dynamics365/fin-ops-core/dev-itpro/data-entities/odata
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_dynamics365.odata.dialect import Dialect
from tap_dynamics365.odata.row_types import format_of
from tap_dynamics365.services.coverage import Coverage
from tap_dynamics365.services.finance_operations import address, errors
from tap_dynamics365.services.kind import ServiceKind
from tap_dynamics365.services.only_of import check_business_central, check_dataverse
from tap_dynamics365.services.set_up import SetUp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tap_dynamics365.services.selected_table import SelectedTable
    from tap_dynamics365.settings import Settings

# Columns with the time of the last change or its number, which few entities have. Customers add
# them under these names. `SysRecVersion` and `RecVersionValue` are random numbers.
# https://learn.microsoft.com/dynamics365/fin-ops-core/dev-itpro/data-entities/rowversion-change-track
REPLICATION_KEYS = (
    "SysRowVersion",
    "SysModifiedDateTime",
    "System_ModifiedDateTime",
    "ModifiedDateTime",
    "ModifiedDateTime1",
    "LastModifiedDateTime",
    "ModifiedOn",
    "LastModifiedOn",
)

# The annotation with the type of a column in X++, and what it says beyond the type in OData.
AX_TYPE = "Microsoft.Dynamics.OData.Core.V1.AXType"
FACTS: Mapping[str, Mapping[str, str]] = {
    AX_TYPE: {
        f"{AX_TYPE}/Date": (
            "A date: noon UTC stands for no time of day, and 1900-01-01 for no date."
        ),
        f"{AX_TYPE}/UtcDateTime": (
            "1900-01-01T00:00:00Z stands for no time, and 2154-12-31T23:59:59Z for no end."
        ),
        f"{AX_TYPE}/Time": "Seconds after midnight.",
    }
}

DEFAULT_COMPANY = Coverage(
    name="default_company",
    words="the user's default company",
    advice="Set cross_company to true to read the rows of all companies again.",
)
ALL_COMPANIES = Coverage(name="all_companies", words="all companies", narrower=(DEFAULT_COMPANY,))

NO_DIRECTORY = (
    "The Power Platform admin center and Lifecycle Services show the URLs of its environments. "
    "Without service_url, the environments of Dataverse are listed, with which those of Finance & "
    "Operations may be linked."
)
# The limit is not documented. The columns of the widest entities take 6,800 characters.
LONGEST_URL = 8_000
# Earlier dates stand for no date, with or without a time of day.
FIRST_DATE = "1900-01-02T00:00:00Z"
# Reading more tables than these is seldom meant: Meltano selects all unless it is told otherwise.
MANY_TABLES = 300


def check_settings(settings: Settings) -> None:
    """Check that no setting asks for what only other services have.

    Args:
        settings: The settings.

    Raises:
        SettingsError: A setting does.
    """
    check_business_central(settings)
    check_dataverse(settings, "Finance & Operations")


def query_options(settings: Settings) -> dict[str, str]:
    """Return the options of each request for rows.

    Without `cross-company`, the service sends only rows of the default company of the user.
    https://learn.microsoft.com/dynamics365/fin-ops-core/dev-itpro/data-entities/odata#cross-company-behavior

    Args:
        settings: The settings.
    """
    return {"cross-company": "true"} if settings.cross_company else {}


def notices(settings: Settings, tables: Iterable[SelectedTable]) -> Iterator[str]:  # noqa: ARG001 - the form of the seam
    """Yield what a user has to know about the rows of a run.

    Args:
        settings: The settings.
        tables: The selected tables.
    """
    if settings.cross_company is None:
        yield (
            "Only rows of the default company of the user that signs in are extracted. Set "
            "cross_company to true to extract the rows of all companies that the user may read, or "
            "to false to hide this warning."
        )


def without_value(column: str, schema: Mapping[str, Any]) -> str | None:
    """Return the condition for rows without a value of a column.

    Columns that may be a replication key are never null, and numbers are never missing.

    Args:
        column: The column.
        schema: Its JSON Schema.

    Returns:
        The condition; None if every row has a value.
    """
    is_date = format_of(schema) == "date-time"
    return f"{column} lt {FIRST_DATE}" if is_date else None


def coverage(settings: Settings) -> Coverage:
    """Return which companies a run reads.

    Args:
        settings: The settings.
    """
    return ALL_COMPANIES if settings.cross_company else DEFAULT_COMPANY


FINANCE_OPERATIONS = ServiceKind(
    name="Finance & Operations",
    matches=address.matches,
    complete_url=address.complete_url,
    check_url=address.check_url,
    check_settings=check_settings,
    no_directory=NO_DIRECTORY,
    # https://learn.microsoft.com/dynamics365/fin-ops-core/dev-itpro/data-entities/services-home-page#authentication
    permission="Odata.FullAccess",
    set_up=SetUp(
        api="Microsoft Dynamics ERP",
        person=(
            "*System administration > Users*: you are listed, with a security role that may read "
            "the entities."
        ),
        app=(
            (
                "*System administration > Users*: create a user for the pipeline, with a "
                "security role that may read the entities."
            ),
            (
                "*System administration > Setup > Microsoft Entra ID applications > New*: enter "
                "the *Client ID*, a *Name* and the *User ID*."
            ),
        ),
    ),
    dialect=Dialect(
        errors=errors,
        service="Finance & Operations",
        # Names of types differ from those of entity sets, which users know.
        is_named_by_set=True,
        facts=FACTS,
        # Throttling depends on the load of the whole environment, and nothing tells how close it
        # is.
        start_requests=4,
        # https://learn.microsoft.com/dynamics365/fin-ops-core/dev-itpro/data-entities/service-protection-operation-retry
        first_throttle_wait=30.0,
        largest_page=10_000,
        # Links have a $skip, and rows that come and go between pages shift them.
        replaces_links=True,
        # The company, which most keys begin with.
        group_column="dataAreaId",
        longest_url=LONGEST_URL,
        key_columns=REPLICATION_KEYS,
        without_value=without_value,
        # Many entities refuse them.
        has_text_functions=False,
        # The service sets them with each change, but not in rows of before they were added.
        sets_missing_keys=True,
    ),
    replication_keys=REPLICATION_KEYS,
    tracks_changes=False,
    # About 4,000 entity sets, many of them old versions of others.
    selects_all=False,
    many_tables=MANY_TABLES,
    query_options=query_options,
    notices=notices,
    coverage=coverage,
)
