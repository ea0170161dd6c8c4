"""The sandbox's own model: entity sets that are believable, with the oddities of the real ones.

A word of a definition is `Name`, or `Name:Type` for another type than String. The words before the
bar are the key.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from sandbox.finance_operations import csdl
from sandbox.finance_operations.document import Entity, Link, Property, write

if TYPE_CHECKING:
    from sandbox.data.model import Model

ENUMS = {
    "NoYes": {"No": 0, "Yes": 1},
    "DirPartyBaseType": {"None": 0, "Person": 1, "Organization": 2},
    "CustVendorBlocked": {"No": 0, "Invoice": 1, "All": 2, "Payment": 3, "Never": 5},
    "SalesStatus": {"None": 0, "Backorder": 1, "Delivered": 2, "Invoiced": 3, "Canceled": 4},
    # The order of the names is not the order of the numbers.
    "LedgerJournalACType": {"Vend": 2, "Ledger": 0, "Bank": 6, "Cust": 1, "Project": 3},
    "EcoResProductType": {"Item": 1, "Service": 2},
    "ExchangeRateDisplayFactor": {"One": 1, "Ten": 10, "Hundred": 100, "_1000": 1000},
    # Two names have the same number.
    "Timezone": {"GMT_LONDON": 35, "GMT_DUBLIN": 35, "GMTPLUS0100BERLIN": 79, "GMT_UTC": 89},
    "FormulaFunction": {"NotUsed": 2, "Sum": 0, "Average": 1, "_401k": 40},
}

_ADDRESS = """City Street ZipCode CountryRegionId State CountyId Description LocationId
    TimeZone:Timezone Latitude:Decimal Longitude:Decimal ValidFrom:UtcDateTime ValidTo:UtcDateTime
    RecordId:Int64 DistrictName BuildingComplement Postbox StreetNumber IsPrivate:NoYes"""
# The wide set has the columns of an address for each of these roles.
_ROLES = """Primary Delivery Invoice Home Business Payment Swift Returns Warehouse Statement Legal
    Factoring RemitTo ShipCarrier"""
_WIDE = " ".join(f"{role}Address{part}" for role in _ROLES.split() for part in _ADDRESS.split())
_DIMENSIONS = " ".join(f"Dimension{number:02d}" for number in range(1, 20))

# Shares of the invented rows, where they are not 1.
_SHARES = {
    "CustomersV3": 3.0,
    "SalesOrderHeadersV2": 3.0,
    "SalesOrderLines": 5.0,
    "LedgerJournalLines": 5.0,
    "RetailParameters": 0.3,
}

_DEFINITIONS = f"""
Companies Company: DataArea | Name KnownAs LanguageId PartyNumber
LegalEntities LegalEntity: LegalEntityId | Name CompanyType AddressCity
    UseForFinancialConsolidationProcess:NoYes InitialCapitalInvestment:Decimal
SystemUsers SystemUser: UserID | UserName Company Email Language Enabled:Boolean SqmGUID:Guid
    PreferredTimeZone:Timezone GlobalListPageLinkMode:Int32
SysAADClients SysAADClient: AADClientId | Name UserId
CustomersV3 CustomerV3: dataAreaId CustomerAccount | PartyType:DirPartyBaseType OrganizationName
    NameAlias SalesCurrencyCode OnHoldStatus:CustVendorBlocked CreditLimit:Decimal AddressCity
    AddressStreet AddressValidFrom:UtcDateTime AddressValidTo:UtcDateTime
    AddressTimeZone:Timezone PrimaryContactEmail PartyNumber CredManCustomerSince:Date
    PrimaryContactPhoneRecordId:Int64 OrderEntryDeadline:Time IsOneTimeCustomer:NoYes
    OrganizationNumberOfEmployees:Int32 LanguageId _customMarker
VendorsV2 VendorV2: dataAreaId VendorAccountNumber | VendorOrganizationName VendorGroupId
    CurrencyCode OnHoldStatus:CustVendorBlocked AddressCity DefaultPaymentTermsName
    SysModifiedDateTime:UtcDateTime BirthDate:Date IsMinorityOwned:NoYes
SalesOrderHeadersV2 SalesOrderHeaderV2: dataAreaId SalesOrderNumber | SalesOrderName
    OrderingCustomerAccountNumber SalesOrderStatus:SalesStatus RequestedReceiptDate:Date
    OrderTotalAmount:Decimal CurrencyCode DeliveryAddressCity SysModifiedDateTime:UtcDateTime
    CreatedOn:UtcDateTime
SalesOrderLines SalesOrderLine: dataAreaId InventoryLotId | SalesOrderNumber LineNumber:Decimal
    ItemNumber SalesOrderLineStatus:SalesStatus OrderedSalesQuantity:Decimal SalesPrice:Decimal
    LineAmount:Decimal RequestedReceiptDate:Date SysRowVersion:Int64
LedgerJournalLines LedgerJournalLine: dataAreaId JournalBatchNumber LineNumber:Decimal |
    AccountType:LedgerJournalACType AccountDisplayValue DebitAmount:Decimal CreditAmount:Decimal
    TransDate:Date Text CurrencyCode ExchRate:Decimal Voucher
ReleasedProductsV2 ReleasedProductV2: dataAreaId ItemNumber | ProductNumber SearchName
    ProductType:EcoResProductType NetProductWeight:Decimal UnitCost:Decimal
    ProductDescription ImageContainer:Binary
AllProducts EveryProduct: ProductNumber | ProductName ProductDescription ProductSearchName
ExchangeRates ExchangeRate: RateTypeName FromCurrency ToCurrency StartDate:Date | EndDate:Date
    Rate:Decimal ConversionFactor:ExchangeRateDisplayFactor RateTypeDescription
WorkerPositions WorkerPosition: PersonnelNumber ValidFrom:UtcDateTime | ValidTo:UtcDateTime
    PositionId WorkerName SysModifiedDateTime:UtcDateTime
PriceAgreements PriceAgreement: dataAreaId AccountType:LedgerJournalACType AccountCode
    FromQuantity:Decimal | Price:Decimal CurrencyCode
FormulaParameters FormulaParameter: Function:FormulaFunction | Description Weight:Decimal
JournalDefaults JournalDefault: AccountType:LedgerJournalACType Layer | Text
Certifications Certification: | PersonnelNumber CertificateTypeId StartDate:Date EndDate:Date
    Notes RenewalRequired:NoYes
DualWriteProjects DualWriteProject: ProjectId:Guid | ProjectName Status:SalesStatus
InventOnHandEntries InventOnHandEntry: dataAreaId InventDimRecordId:Int64 | ItemNumber
    AvailableQuantity:Decimal
PostingDefinitions PostingDefinition: dataAreaId Level:Int32 LineNumber:Decimal | Description
UserDefaults UserDefault: UserID IsDefault:Boolean | Value SettingId:Guid
AutomaticCharges AutomaticChargesLine: dataAreaId ChargeCode | ChargeAmount:Decimal
AutomaticChargesLine AutomaticCharges: dataAreaId ChargeCode LineNumber:Decimal |
    ChargeAmount:Decimal ChargeDescription
Currencies Currency: CurrencyCode | Name Symbol RoundingRule:Decimal
DimensionCombinations DimensionCombination: dataAreaId {_DIMENSIONS} | Description Amount:Decimal
RetailParameters RetailParameter: dataAreaId ParameterKey | {_WIDE}
ProjectEmployees ProjectEmployee: ProjectId EmployeeId | dataAreaId Name
"""

# Navigation properties by entity type. Some documents do not say which properties are equal.
_COMPANY = ("dataAreaId", "dataAreaId")
_LINKS = {
    "SalesOrderHeaderV2": (
        Link(
            "OrderingCustomer",
            "CustomerV3",
            (("OrderingCustomerAccountNumber", "CustomerAccount"), _COMPANY),
        ),
    ),
    "SalesOrderLine": (
        Link(
            "SalesOrderHeader",
            "SalesOrderHeaderV2",
            (("SalesOrderNumber", "SalesOrderNumber"), _COMPANY),
        ),
        Link("ReleasedProduct", "ReleasedProductV2", ()),
    ),
}


def _property(word: str, *, in_key: bool) -> Property:
    name, _, kind = word.partition(":")
    return Property(name, kind or "String", in_key)


def _entity(definition: str) -> Entity:
    head, _, rest = definition.partition(": ")
    set_name, type_name = head.split()
    key, _, columns = rest.partition("|")
    properties = [_property(word, in_key=True) for word in key.split()]
    properties += [_property(word, in_key=False) for word in columns.split()]
    return Entity(set_name, type_name, tuple(properties), _LINKS.get(type_name, ()))


@cache
def model() -> Model:
    """Return the sandbox's own model."""
    definitions = _DEFINITIONS.strip().replace("\n    ", " ").split("\n")
    found = csdl.parse(write(map(_entity, definitions), ENUMS))
    found.tables = tuple(
        replace(table, share=_SHARES.get(table.name, 1.0)) for table in found.tables
    )
    return found
