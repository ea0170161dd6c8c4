"""`dynamics365 tables --references`: how tables refer to each other, in each service."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.commands.program import dynamics365

if TYPE_CHECKING:
    from sandbox.client import Sandbox


@pytest.mark.parametrize(
    ("fixture", "patterns", "expected"),
    [
        (
            "service",
            ("account", "contact"),
            {
                ("account", ("_primarycontactid_value",), "contact", None),
                ("contact", ("_parentcustomerid_value",), "account", None),
                ("contact", ("_parentcustomerid_value",), "contact", None),
            },
        ),
        (
            "finance",
            ("Sales*", "Customers*", "Released*"),
            {
                (
                    "SalesOrderHeadersV2",
                    ("OrderingCustomerAccountNumber", "dataAreaId"),
                    "CustomersV3",
                    "OrderingCustomer",
                ),
                ("SalesOrderLines", (), "ReleasedProductsV2", "ReleasedProduct"),
            },
        ),
        (
            "central",
            ("*",),
            {
                ("salesOrders", ("customerId",), "customers", "customer"),
                ("salesOrderLines", ("documentId",), "salesOrders", "salesOrder"),
                ("pictures", ("id",), "customers", "customer"),
                ("dimensionSetLines", ("parentId",), "salesOrders", None),
            },
        ),
    ],
)
def test_references_of_each_service_are_listed(
    request: pytest.FixtureRequest, fixture: str, patterns: tuple[str, ...], expected: set[Any]
) -> None:
    sandbox: Sandbox = request.getfixturevalue(fixture)
    output = dynamics365("tables", sandbox.settings, *patterns, "--references", "--json")
    assert output.status == 0, output.log
    found = [
        (row["table"], (*row["columns"],), row["target"], row["name"])
        for row in json.loads(output.printed)
    ]
    assert expected <= {*found}
    assert len({each[:3] for each in found if each[1]}) == len([each for each in found if each[1]])
    # A customer does not refer to its picture, which is read through it.
    assert not [each for each in found if each[0] == "customers"]


def test_references_of_one_table_say_that_there_are_none(service: Sandbox) -> None:
    output = dynamics365("tables", service.settings, "team", "--references")
    assert output.lines == ["No table refers to another one, or the service does not say so."]
    refused = dynamics365("tables", service.settings, "--references", "--since", "2026-01-01")
    assert refused.status == 2
    assert "Give one of --since and --references." in refused.log
    refused = dynamics365("tables", service.settings, "--references", "--rows", "team")
    assert "Give --references with PATTERN, not with --columns or --rows." in refused.log
