"""Calculated columns: those whose values change although the row has no new time of change.

https://learn.microsoft.com/dynamics365/business-central/dev-itpro/developer/devenv-flowfields
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from tap_dynamics365.services.selected_table import SelectedTable
    from tap_dynamics365.settings import Settings

#: The calculated columns of API v2.0 and v1.0, by entity set.
COLUMNS: Mapping[str, Collection[str]] = {
    "accounts": ("balance", "netChange"),
    "customerFinancialDetails": ("balance", "totalSalesExcludingTax", "overdueAmount"),
    "customers": ("balance", "balanceDue", "overdueAmount", "totalSalesExcludingTax"),
    "items": ("inventory",),
    "purchaseInvoices": ("remainingAmount", "status"),
    "salesInvoices": ("remainingAmount", "status"),
    "vendors": ("balance",),
}


def notices(settings: Settings, tables: Iterable[SelectedTable]) -> Iterator[str]:  # noqa: ARG001 - the form of the seam
    """Yield what a user has to know about the rows of a run.

    Args:
        settings: The settings.
        tables: The selected tables.
    """
    for table in tables:
        known = COLUMNS.get(table.entity_set, ())
        columns = [name for name in table.columns if name in known]
        if columns and table.is_incremental:
            yield (
                f"{table.name!r} is replicated INCREMENTAL, but Business Central calculates "
                f"{' and '.join(columns)} when a row is read: a new value does not count as a "
                f"change of the row, and is missed. Choose FULL_TABLE for {table.name!r} to "
                "extract current values."
            )
