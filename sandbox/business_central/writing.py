"""Writes of rows, as users of a company make them, and companies that come and go."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sandbox.business_central import values
from sandbox.business_central.csdl import COMPANY, WRITES
from sandbox.business_central.errors import bad_query
from sandbox.business_central.inventing import company_row, web_service_row
from sandbox.data.model import Kind
from sandbox.data.store import quoted
from sandbox.data.writing import Writer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.business_central.companies import Companies, Company
    from sandbox.business_central.csdl import CentralModel
    from sandbox.data.clock import Clock
    from sandbox.data.model import Table
    from sandbox.data.store import Store


class CentralWriter(Writer):
    """Inserts, updates and deletes rows.

    Keys are JSON arrays: the id or name of the company, then the values of the key columns. The
    company of sets that are in no company is an empty text.

    Args:
        store: The rows.
        clock: Clock of the service.
        companies: The companies.
    """

    def __init__(self, store: Store, clock: Clock, companies: Companies) -> None:
        super().__init__(store.model, store, clock)
        self.central: CentralModel = store.model  # type: ignore[assignment]  # as `filling` makes it
        self.companies = companies

    def calculate(self, name: str, key: str, cells: dict[str, Any]) -> dict[str, Any]:
        """Change calculated columns: no time of change and no etag changes.

        Args:
            name: Name of the entity set.
            key: Key of the row.
            cells: New values.
        """
        with self.store.writing:
            self.commit(self._setting(self.table(name), key, cells))
        return {}

    def company_id(self, text: str) -> str:
        """Return the id of the company with an id or a name; that of no company is empty."""
        return self.companies.find(text).id if text else ""

    def add_company(self, company: Company, copied: str) -> None:
        """Add a company.

        Args:
            company: The company.
            copied: Id or name of the company whose rows it gets, with ids and dates. Empty gives it
                no rows.
        """
        source = self.companies.find(copied) if copied else None
        self.companies.all = [*self.companies.all, company]
        with self.store.writing:
            self._tell(company)
            for table in self._of_companies() if source else ():
                names = [quoted(each) for each in self.store.stored_columns(table)]
                others = ", ".join(name for name in names if name != quoted(COMPANY))
                own = quoted(COMPANY)
                sql = f"INSERT INTO {quoted(table.name)} ({own}, {others}) SELECT ?, {others} FROM {quoted(table.name)} WHERE {own} = ?"  # noqa: S608, E501  - names of the model
                self.store.change(table, [(sql, [company.id, source.id if source else ""])])

    def remove_company(self, text: str) -> None:
        """Remove a company with all its rows."""
        company = self.companies.find(text)
        # Requests may be looking for a company in the list.
        self.companies.all = [each for each in self.companies.all if each != company]
        with self.store.writing:
            self._forget(company)
            for table in self._of_companies():
                sql = f"DELETE FROM {quoted(table.name)} WHERE {quoted(COMPANY)} = ?"  # noqa: S608  - names of the model
                self.store.change(table, [(sql, [company.id])])

    def rename_company(self, text: str, name: str) -> None:
        """Rename a company; its id stays."""
        company = self.companies.find(text)
        renamed = company._replace(name=name)
        all_of_them = self.companies.all
        self.companies.all = [renamed if each == company else each for each in all_of_them]
        if self.companies.default == company.name:
            self.companies.default = name
        with self.store.writing:
            self._forget(company)
            self._tell(renamed)

    def _of_companies(self) -> list[Table]:
        return [each for each in self.model.tables if self.central.shape(each).has_company]

    def _tell(self, company: Company) -> None:
        """Insert the rows that tell of a company."""
        for name, row in (
            ("companies", company_row(company)),
            ("Company", web_service_row(company)),
        ):
            if table := self.model.by_name.get(name):
                known = {k: v for k, v in row.items() if k in table.by_property}
                known |= self._touched(table)
                self.insert(name, [known])

    def _forget(self, company: Company) -> None:
        for name, column, value in (
            ("companies", "id", company.id),
            ("Company", "Name", company.name),
        ):
            if table := self.model.by_name.get(name):
                sql = f"DELETE FROM {quoted(name)} WHERE {quoted(column)} = ?"  # noqa: S608  - names of the model
                self.store.change(table, [(sql, [value])])

    def _parts(self, table: Table, key: str) -> Sequence[Any]:
        parts = json.loads(key)
        if not isinstance(parts, list) or len(parts) != len(table.row_key):
            names = ", ".join(table.row_key[1:])
            message = f"A key of {table.name} is a list of the company and the values of {names}."
            raise bad_query(message)
        return [self.company_id(str(parts[0])), *parts[1:]]

    def _cells(self, table: Table, values: dict[str, Any]) -> dict[str, Any]:
        known = dict(values)
        if known.get(COMPANY):
            known[COMPANY] = self.company_id(known[COMPANY])
        return super()._cells(table, known)

    def _defaults(self, table: Table) -> dict[str, Any]:
        found = {
            column.property_name: values.blank(column)
            for column in table.columns
            if column.kind is not Kind.STREAM
        }
        found |= {name: value for name, value in super()._defaults(table).items() if name in found}
        has_company = self.central.shape(table).has_company
        found[COMPANY] = self.companies.default if has_company else ""
        return found | self._touched(table)

    def _touched(self, table: Table) -> dict[str, Any]:
        stamp = values.with_milliseconds(self.clock.now()) + "Z"
        touched: dict[str, Any] = {
            c.property_name: stamp for c in table.columns if c.values == "modified"
        }
        version = self.store.next_version()
        touched |= {c.property_name: version for c in table.columns if c.values == "version"}
        return {**touched, WRITES: version}
