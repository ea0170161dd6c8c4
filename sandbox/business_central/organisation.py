"""The sandbox's own model: a part of API v2.0, a custom API, and OData web services."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from sandbox.business_central import csdl, document
from sandbox.business_central.csdl import CentralModel
from sandbox.business_central.document import Entity

if TYPE_CHECKING:
    from collections.abc import Mapping

CUSTOM = "api/sandbox/loyalty/v1.0"
BLANK = "_x0020_"
ENUMS = {
    "accountCategory": (
        BLANK,
        "Assets",
        "Liabilities",
        "Equity",
        "Income",
        "Cost_x0020_of_x0020_Goods_x0020_Sold",
        "Expense",
    ),
    "customerBlocked": (BLANK, "Ship", "Invoice", "All"),
    "vendorBlocked": (BLANK, "Payment", "All"),
    "itemType": ("Inventory", "Service", "Non_x002D_Inventory"),
    "lineType": ("Comment", "Account", "Item", "Resource", "Fixed_x0020_Asset", "Charge"),
    "invoiceStatus": (BLANK, "Draft", "In_x0020_Review", "Open", "Paid", "Canceled"),
    "documentType": (BLANK, "Payment", "Invoice", "Credit_x0020_Memo"),
    "parentType": (BLANK, "Customer", "Item", "Vendor", "Sales_x0020_Invoice_x0020_Line"),
}
# Captions of entity sets, columns and options, by language.
COMPLEX_TYPES = {
    "entityMetadataLabel": {"languageCode": "Int32", "caption": "String"},
    "entityMetadataField": {"name": "String", "captions": "[entityMetadataLabel]"},
    "entityMetadataEnumMember": {
        "name": "String",
        "value": "Int32",
        "captions": "[entityMetadataLabel]",
    },
}
_NONE: Mapping[str, tuple[str, str]] = MappingProxyType({})


def _entity(  # noqa: PLR0913  - what an entity has
    set_name: str,
    type_name: str,
    properties: str,
    key: tuple[str, ...] = ("id",),
    *,
    links: Mapping[str, tuple[str, str]] = _NONE,
    lists: Mapping[str, tuple[str, str]] = _NONE,
    is_sortable: bool = True,
    is_global: bool = False,
) -> Entity:
    """Return an entity whose properties are written as `name:type`, separated by blanks."""
    pairs = (each.partition(":") for each in properties.split())
    types = {name: kind for name, _, kind in pairs}
    return Entity(set_name, type_name, key, types, links, lists, is_sortable, is_global)


COMPANIES = _entity(
    "companies",
    "company",
    "id:Guid systemVersion:String timestamp:Int64 name:30 displayName:250 "
    "businessProfileId:250 systemCreatedAt:DateTimeOffset systemCreatedBy:Guid "
    "systemModifiedAt:DateTimeOffset systemModifiedBy:Guid",
    is_global=True,
)
STANDARD = (
    COMPANIES,
    _entity(
        "entityDefinitions",
        "entityMetadata",
        "entityName:String entitySetName:String entityCaptions:[entityMetadataLabel] "
        "entitySetCaptions:[entityMetadataLabel] properties:[entityMetadataField] "
        "enumMembers:[entityMetadataEnumMember]",
        ("entityName",),
        is_global=True,
    ),
    _entity(
        "subscriptions",
        "subscriptions",
        "subscriptionId:150 notificationUrl:String resource:String userId:Guid "
        "expirationDateTime:DateTimeOffset lastModifiedDateTime:DateTimeOffset",
        ("subscriptionId",),
        is_sortable=False,
        is_global=True,
    ),
    _entity(
        "apicategoryroutes",
        "apicategoryroutes",
        "route:String publisher:40 group:40 version:10",
        ("route",),
        is_sortable=False,
        is_global=True,
    ),
    _entity(
        "companyInformation",
        "companyInformation",
        "id:Guid displayName:100 addressLine1:100 city:30 country:10 postalCode:20 "
        "phoneNumber:30 email:80 picture:Stream lastModifiedDateTime:DateTimeOffset",
    ),
    _entity(
        "customers",
        "customer",
        "id:Guid number:20 displayName:100 addressLine1:100 city:30 country:10 postalCode:20 "
        "phoneNumber:30 email:80 blocked:customerBlocked creditLimit:Decimal taxLiable:Boolean "
        "balanceDue:Decimal lastModifiedDateTime:DateTimeOffset",
        links={"picture": ("pictures", "id")},
        lists={"defaultDimensions": ("defaultDimensions", "parentId")},
    ),
    _entity(
        "vendors",
        "vendor",
        "id:Guid number:20 displayName:100 addressLine1:100 city:30 country:10 postalCode:20 "
        "phoneNumber:30 email:80 blocked:vendorBlocked balance:Decimal "
        "lastModifiedDateTime:DateTimeOffset",
        lists={"defaultDimensions": ("defaultDimensions", "parentId")},
    ),
    _entity(
        "items",
        "item",
        "id:Guid number:20 displayName:100 type:itemType blocked:Boolean gtin:14 "
        "inventory:Decimal unitPrice:Decimal unitCost:Decimal "
        "lastModifiedDateTime:DateTimeOffset",
        links={"picture": ("pictures", "id")},
    ),
    _entity(
        "accounts",
        "account",
        "id:Guid number:20 displayName:100 category:accountCategory blocked:Boolean "
        "netChange:Decimal lastModifiedDateTime:DateTimeOffset",
    ),
    _entity(
        "salesInvoices",
        "salesInvoice",
        "id:Guid number:20 externalDocumentNumber:35 customerId:Guid customerName:100 "
        "currencyCode:10 pricesIncludeTax:Boolean discountAmount:Decimal "
        "totalAmountExcludingTax:Decimal totalAmountIncludingTax:Decimal status:invoiceStatus "
        "invoiceDate:Date postingDate:Date dueDate:Date remainingAmount:Decimal "
        "lastModifiedDateTime:DateTimeOffset",
        links={"customer": ("customers", "customerId")},
        lists={
            "salesInvoiceLines": ("salesInvoiceLines", "documentId"),
            "dimensionSetLines": ("dimensionSetLines", "parentId"),
        },
    ),
    _entity(
        "salesInvoiceLines",
        "salesInvoiceLine",
        "id:Guid documentId:Guid sequence:Int32 itemId:Guid lineType:lineType "
        "lineObjectNumber:20 description:100 quantity:Decimal unitPrice:Decimal "
        "netAmount:Decimal shipmentDate:Date",
        links={"salesInvoice": ("salesInvoices", "documentId"), "item": ("items", "itemId")},
        lists={"dimensionSetLines": ("dimensionSetLines", "parentId")},
    ),
    _entity(
        "salesOrders",
        "salesOrder",
        "id:Guid number:20 externalDocumentNumber:35 customerId:Guid customerName:100 "
        "currencyCode:10 pricesIncludeTax:Boolean discountAmount:Decimal "
        "totalAmountExcludingTax:Decimal totalAmountIncludingTax:Decimal status:invoiceStatus "
        "orderDate:Date fullyShipped:Boolean lastModifiedDateTime:DateTimeOffset",
        links={"customer": ("customers", "customerId")},
        lists={
            "salesOrderLines": ("salesOrderLines", "documentId"),
            "dimensionSetLines": ("dimensionSetLines", "parentId"),
        },
    ),
    _entity(
        "salesOrderLines",
        "salesOrderLine",
        "id:Guid documentId:Guid sequence:Int32 itemId:Guid lineType:lineType "
        "lineObjectNumber:20 description:100 quantity:Decimal unitPrice:Decimal "
        "netAmount:Decimal shipmentDate:Date",
        links={"salesOrder": ("salesOrders", "documentId"), "item": ("items", "itemId")},
        lists={"dimensionSetLines": ("dimensionSetLines", "parentId")},
    ),
    _entity(
        "journals",
        "journal",
        "id:Guid code:10 displayName:100 lastModifiedDateTime:DateTimeOffset",
        lists={"journalLines": ("journalLines", "journalId")},
    ),
    _entity(
        "journalLines",
        "journalLine",
        "id:Guid journalId:Guid lineNumber:Int32 accountId:Guid postingDate:Date "
        "documentNumber:20 amount:Decimal description:100 comment:250 "
        "lastModifiedDateTime:DateTimeOffset",
        links={"journal": ("journals", "journalId"), "account": ("accounts", "accountId")},
    ),
    _entity(
        "generalLedgerEntries",
        "generalLedgerEntry",
        "id:Guid entryNumber:Int32 postingDate:Date documentNumber:20 documentType:documentType "
        "accountId:Guid description:100 debitAmount:Decimal creditAmount:Decimal "
        "lastModifiedDateTime:DateTimeOffset",
        links={"account": ("accounts", "accountId")},
        lists={"dimensionSetLines": ("dimensionSetLines", "parentId")},
    ),
    _entity(
        "dimensions",
        "dimension",
        "id:Guid code:20 displayName:30 lastModifiedDateTime:DateTimeOffset",
    ),
    _entity(
        "dimensionSetLines",
        "dimensionSetLine",
        "id:Guid code:20 parentId:Guid parentType:parentType displayName:30 valueCode:20 "
        "valueDisplayName:50",
        links={
            "salesInvoiceLine": ("salesInvoiceLines", "parentId"),
            "generalLedgerEntry": ("generalLedgerEntries", "parentId"),
            "salesInvoice": ("salesInvoices", "parentId"),
            "salesOrderLine": ("salesOrderLines", "parentId"),
        },
    ),
    _entity(
        "defaultDimensions",
        "defaultDimension",
        "id:Guid parentType:parentType parentId:Guid dimensionId:Guid dimensionCode:20 "
        "dimensionValueCode:20 lastModifiedDateTime:DateTimeOffset",
        links={"customer": ("customers", "parentId"), "vendor": ("vendors", "parentId")},
    ),
    _entity(
        "pictures",
        "picture",
        "id:Guid parentType:parentType width:Int32 height:Int32 contentType:100 "
        "pictureContent:Stream",
        links={"customer": ("customers", "id"), "item": ("items", "id")},
    ),
    _entity(
        "paymentTerms",
        "paymentTerm",
        "id:Guid code:10 displayName:100 discountPercent:Decimal "
        "lastModifiedDateTime:DateTimeOffset",
    ),
    _entity(
        "customerSales",
        "customerSale",
        "customerId:Guid customerNumber:20 name:100 totalSalesAmount:Decimal "
        "dateFilter_FilterOnly:Date",
        ("customerId", "customerNumber", "name"),
        is_sortable=False,
    ),
    _entity(
        "trialBalances",
        "trialBalance",
        "accountId:Guid number:20 display:100 totalDebit:30 totalCredit:30 dateFilter:Date",
        ("accountId",),
    ),
)
LOYALTY = (
    COMPANIES,
    _entity(
        "loyaltyCards",
        "loyaltyCard",
        "systemId:Guid Code:20 Points:Int32 bigCounter:Int64 systemRowVersion:Int64 "
        "systemCreatedAt:DateTimeOffset systemModifiedAt:DateTimeOffset",
        ("systemId",),
        lists={"loyaltyTransactions": ("loyaltyTransactions", "")},
    ),
    # Its rows don't name their card.
    _entity(
        "loyaltyTransactions",
        "loyaltyTransaction",
        "systemId:Guid entryNumber:Int32 points:Decimal systemModifiedAt:DateTimeOffset",
        ("systemId",),
    ),
    # An API query: its key counts rows.
    _entity(
        "loyaltyTotals",
        "loyaltyTotal",
        "auxiliaryIndex1:Int32 cardCode:20 totalPoints:Decimal",
        ("auxiliaryIndex1",),
        is_sortable=False,
    ),
)
FIXED_ROWS = {"loyaltyTransactions": 60}
WEB_SERVICES = (
    _entity(
        "Company",
        "Company",
        "Name:30 Evaluation_Company:Boolean Display_Name:250 Id:Guid Business_Profile_Id:250",
        ("Name",),
        is_global=True,
    ),
    _entity(
        "Customer_Card",
        "Customer_Card",
        "No:20 Name:100 Blocked:30 Balance_LCY:Decimal Credit_Limit_LCY:Decimal "
        "Last_Date_Modified:Date _x003C_Phone_x003E_:30 Date_Filter:String",
        ("No",),
    ),
    _entity(
        "Sales_Order",
        "Sales_Order",
        "Document_Type:30 No:20 Sell_to_Customer_Name:100 Order_Date:Date Amount:Decimal "
        "Last_Modified:DateTimeOffset",
        ("Document_Type", "No"),
    ),
    _entity(
        "Item_Ledger_Query",
        "Item_Ledger_Query",
        "AuxiliaryIndex1:Int32 Item_No:20 Quantity:Decimal",
        ("AuxiliaryIndex1",),
    ),
)


def model() -> CentralModel:
    """Return the sandbox's own model."""
    loyalty = csdl.parse(document.write(LOYALTY), CUSTOM)
    for name, rows in FIXED_ROWS.items():
        shape = loyalty.sets[name]
        loyalty.sets[name] = replace(shape, table=replace(shape.table, fixed_rows=rows))
    return CentralModel(
        [
            csdl.parse(document.write(STANDARD, ENUMS, COMPLEX_TYPES), csdl.STANDARD),
            loyalty,
            csdl.parse(document.write(WEB_SERVICES, namespace=csdl.WEB_SERVICES), csdl.ODATA),
        ]
    )
