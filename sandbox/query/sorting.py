"""Sorted reads that take too long: no index has the rows in the order of a date.

Business Central has no index on the time of the last change unless the table's author adds one
(https://learn.microsoft.com/dynamics365/business-central/dev-itpro/developer/devenv-table-system-fields),
so a table of many rows is sorted as a whole, for each page.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox.data.model import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.data.model import Column, Table


@dataclass
class Sorting:
    """Which sorted reads time out.

    Attributes:
        unsortable_tables: Names of tables whose reads time out with 504, whatever the size of the
            page, if `$orderby` names a date that is not part of the key. Other reads work, also
            those with a filter by the date. Names are those of `/sandbox/tables`.
    """

    unsortable_tables: list[str] = field(default_factory=list)

    def times_out(self, table: Table, columns: Iterable[Column]) -> bool:
        """Return whether a read times out.

        Args:
            table: The table.
            columns: Columns to sort by.
        """
        return table.name in self.unsortable_tables and any(
            column.kind is Kind.DATETIME and column.property_name not in table.row_key
            for column in columns
        )
