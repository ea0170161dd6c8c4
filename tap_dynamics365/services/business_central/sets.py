"""Sets: what the metadata document does not tell of the entity sets of the standard APIs.

https://learn.microsoft.com/dynamics365/business-central/dev-itpro/api-reference/v2.0/
"""

from __future__ import annotations

import re

#: The namespace of the types of the OData web services. That of the APIs is `Microsoft.NAV`.
WEB_SERVICES = "NAV"
#: The entity sets of the companies, in an API and in the OData web services.
COMPANIES = {"companies", "Company"}

#: Sets that describe the service, and those without rows of their own.
NO_STREAMS = {
    "apicategoryroutes",
    "entityDefinitions",
    "externalbusinesseventdefinitions",
    "externaleventsubscriptions",
    "subscriptions",
    # Only for one document or payment that a filter names.
    "applyVendorEntries",
    "pdfDocument",
}
#: A set that only the automation API has, and its sets that are read for one parent only.
AUTOMATION, NO_AUTOMATION_STREAMS = "automationCompanies", {"scheduledJobs", "userPermissions"}

#: Sets that are computed when they are read.
REPORTS = {
    "agedAccountsPayables",
    "agedAccountsReceivables",
    "balanceSheets",
    "cashFlowStatements",
    "incomeStatements",
    "retainedEarningsStatements",
    "trialBalances",
}

#: Sets whose pages refuse a read that names no parent.
#: https://github.com/microsoft/BCApps/tree/main/src/Apps/W1/APIV2
BOUND = {
    "contactsInformation",
    "customerPayments",
    "defaultDimensions",
    "dimensionSetLines",
    "journalLines",
    "pictures",
    "purchaseCreditMemoLines",
    "purchaseInvoiceLines",
    "purchaseOrderLines",
    "salesCreditMemoLines",
    "salesInvoiceLines",
    "salesOrderLines",
    "salesQuoteLines",
    "timeRegistrationEntries",
    "vendorPayments",
    # Names in API v1.0.
    "dimensionLines",
    "picture",
}
#: Sets in which ids repeat between parents, with the column that tells the parent.
PARENT_IN_KEY = {"dimensionSetLines": "parentId", "contactsInformation": "relatedId"}
#: Columns with the id of the parent, if the document does not say which column has it.
PARENT_IDS = {"contactId", "documentId", "employeeId", "journalId", "parentId", "relatedId"}

# Parameters of queries, which have a value only in a filter.
# https://learn.microsoft.com/dynamics365/business-central/dev-itpro/webservices/use-flowfilters-in-odata-uris
_PARAMETER = re.compile(r"_FilterOnly$")
_WEB_SERVICE_PARAMETER = re.compile(r"_Filter(?:Only)?$")
# Columns that number the rows of an answer.
_COUNTER = re.compile(r"auxiliaryindex\d*$", re.IGNORECASE)

# Routes of the standard APIs: `v2.0`, `v1.0` and `beta`.
_STANDARD = re.compile(r"(?:v\d+\.\d+|beta)?$", re.IGNORECASE)


def is_bound(entity_set: str) -> bool:
    """Tell whether an entity set of a standard API can only be read through its parents.

    Args:
        entity_set: The entity set, as the catalog has it.
    """
    route, _, name = entity_set.rpartition("/")
    return name in BOUND and _STANDARD.match(route) is not None


def is_parameter(column: str, namespace: str) -> bool:
    """Tell whether a property is a parameter of queries instead of a column.

    Args:
        column: The name of the property.
        namespace: The namespace of its type.
    """
    pattern = _WEB_SERVICE_PARAMETER if namespace == WEB_SERVICES else _PARAMETER
    return pattern.search(column) is not None


def is_counter(column: str) -> bool:
    """Tell whether a column numbers the rows of an answer, and so does not identify a row.

    Args:
        column: The name of the column.
    """
    return _COUNTER.match(column) is not None
