"""Finance & Operations by the Python library."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tap_dynamics365.library import Dynamics365
from tests.services.finance_operations.test_reads import reached

if TYPE_CHECKING:
    from sandbox.finance_client import FinanceSandbox

TABLE = "CustomersV3"


def test_rows_come_by_key_also_while_others_are_deleted(changing_finance: FinanceSandbox) -> None:
    changing_finance.configure(page_size_cap=20)
    rows = changing_finance.rows(TABLE)
    gone = rows[:5]
    keys = [json.dumps([row["dataAreaId"], row["CustomerAccount"]]) for row in gone]
    deletion = changing_finance.begin(TABLE, delete=keys)
    changing_finance.fault(TABLE, skip=1, commit=deletion.number)
    settings = {**changing_finance.settings, "cross_company": True}
    with Dynamics365(settings) as opened:
        # The key need not be among the columns.
        names = [row["OrganizationName"] for row in opened.rows(TABLE, ["OrganizationName"])]
    assert changing_finance.hits() == [1]
    left = [row["OrganizationName"] for row in reached(changing_finance, TABLE)]
    assert not {*left} - {*names}
    assert not any("$skip" in request["query"] for request in changing_finance.requests())
