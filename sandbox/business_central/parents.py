"""Entity sets that are read through their parent.

Their pages fill a temporary table for one parent (source of the API app of Business Central): a
read that names none fails, and of several documents only the first one's lines are returned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sandbox.business_central import errors
from sandbox.business_central.conditions import columns, equal_to
from sandbox.business_central.csdl import COMPANY
from sandbox.data.store import quoted

if TYPE_CHECKING:
    from sandbox.business_central.csdl import Api, Shape
    from sandbox.business_central.queries import Query
    from sandbox.data.store import Store


class Rule(NamedTuple):
    """How a set can be read.

    Attributes:
        message: Message of the refusal.
        columns: Columns of which a filter has to name one.
    """

    message: str
    columns: tuple[str, ...]


_DOCUMENT = Rule("You must specify an Id or a Document Id to get the lines.", ("id", "documentId"))
_JOURNAL = Rule(
    "You must specify a journal batch ID or a journal ID to get a journal line.",
    ("id", "journalId", "journalDisplayName"),
)
RULES = {
    **dict.fromkeys(
        (
            *("salesInvoiceLines", "salesOrderLines", "salesQuoteLines", "salesCreditMemoLines"),
            *("purchaseInvoiceLines", "purchaseOrderLines", "purchaseCreditMemoLines"),
        ),
        _DOCUMENT,
    ),
    **dict.fromkeys(("journalLines", "customerPayments", "vendorPayments"), _JOURNAL),
    "dimensionSetLines": Rule(
        "You must get to the parent first to get to the dimension set line.", ("id", "parentId")
    ),
    "defaultDimensions": Rule(
        "You must get to the parent first to get to the default dimensions.", ("id", "parentId")
    ),
    "pictures": Rule("You must get to the parent first to get to the picture.", ("id",)),
    "contactsInformation": Rule("id type not specified.", ("contactId", "relatedId")),
    "timeRegistrationEntries": Rule(
        "You must specify an Employee ID or Employee number to get the time registration entries.",
        ("id", "employeeId", "employeeNumber"),
    ),
    "pdfDocument": Rule("You must specify an Id to get the document.", ("id", "parentId")),
    "applyVendorEntries": Rule("You must specify a vendor payment.", ("id", "vendorPaymentId")),
}


def condition(
    store: Store, api: Api, shape: Shape, company: str, query: Query
) -> tuple[str, list[str]]:
    """Return a further SQL condition for the rows of a set that no path leads to.

    Args:
        store: The rows.
        api: The API.
        shape: The entity set.
        company: Id of the company.
        query: The query.

    Returns:
        The condition and its parameters.

    Raises:
        ServiceError: The set needs a filter by parent.
    """
    rule = RULES.get(shape.table.name)
    if rule is None:
        return "1", []
    named = {name.lower() for name in columns(query.filter)} if query.filter else set()
    if named.isdisjoint(name.lower() for name in rule.columns):
        raise errors.dialog(rule.message)
    if rule is not _DOCUMENT:
        return "1", []
    first = _first_document(store, api, shape, company, query)
    return ("documentId = ?", [first]) if first else ("1", [])


def _first_document(store: Store, api: Api, shape: Shape, company: str, query: Query) -> str:
    """Return the first of the documents that a filter names, in the order of their numbers."""
    documents = [*equal_to(query.filter, "documentId")]
    lines = [*equal_to(query.filter, "id")]
    headers = (api.of_type(each.target) for each in shape.navigations.values()
               if each.pairs[:1] == (("documentId", "id"),))  # fmt: skip
    header = next((each for each in headers if each), None)
    if header is None or not (documents or lines):
        return ""
    name, marks = quoted(shape.table.name), ", ".join("?" * len(lines))
    of_lines = f"SELECT documentId FROM {name} WHERE {quoted(COMPANY)} = ? AND id IN ({marks})"  # noqa: S608  - names of the model
    found = store.select(
        f"SELECT id FROM {quoted(header.table.name)} WHERE {quoted(COMPANY)} = ? AND "  # noqa: S608  - as above
        f"(id IN ({', '.join('?' * len(documents))}) OR id IN ({of_lines})) "
        "ORDER BY number, id LIMIT 1",
        [company, *documents, company, *lines],
    )
    return str(found[0][0].decode()) if found else ""
