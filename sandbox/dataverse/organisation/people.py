"""Tables of users, teams and the organisation."""

from __future__ import annotations

from dataclasses import replace

from sandbox.data.model import Kind, Label, Table
from sandbox.dataverse.organisation import choices as sets
from sandbox.dataverse.organisation.columns import (
    CREATED_ON,
    TRACES,
    VERSION,
    active_or_not,
    boolean,
    choice,
    column,
    integer,
    key,
    lookup,
    memo,
    reference,
    text,
)

OWNER_ID = column(
    "ownerid", Kind.UNIQUE_IDENTIFIER, "Owner", "Besitzer", "same_as_key", computed=True
)

PRINCIPAL = Table(
    name="principal",
    set_name="",
    schema_name="Principal",
    type_code=7,
    label=Label("Principal", "Prinzipal"),
    plural=Label("Principals", "Prinzipale"),
    key=("ownerid",),
    primary_id="ownerid",
    abstract=True,
    columns=(OWNER_ID,),
)

SYSTEM_USER = Table(
    name="systemuser",
    set_name="systemusers",
    schema_name="SystemUser",
    type_code=8,
    label=Label("User", "Benutzer"),
    plural=Label("Users", "Benutzer"),
    description="Person with access to the system and who owns objects in its database.",
    base="principal",
    key=("ownerid",),
    primary_id="systemuserid",
    primary_name="fullname",
    ownership="BusinessOwned",
    change_tracking=True,
    fixed_rows=40,
    columns=(
        OWNER_ID,
        key("systemuserid", "User", "Benutzer"),
        text("fullname", "Full Name", "Vollständiger Name", "full_name", length=200),
        text("firstname", "First Name", "Vorname", "first_name", length=64),
        text("lastname", "Last Name", "Nachname", "last_name", length=64),
        text("domainname", "User Name", "Benutzername", "email", length=1024),
        text("internalemailaddress", "Primary Email", "Primäre E-Mail", "email"),
        text("title", "Title", "Position", "job", 0.3, 128),
        boolean("isdisabled", "Status", "Status"),
        lookup("businessunitid", "Business Unit", "Unternehmenseinheit", "businessunit", nulls=0.0),
        *TRACES,
    ),
)

TEAM = Table(
    name="team",
    set_name="teams",
    schema_name="Team",
    type_code=9,
    label=Label("Team", "Team"),
    plural=Label("Teams", "Teams"),
    description="Collection of system users that routinely collaborate.",
    base="principal",
    key=("ownerid",),
    primary_id="teamid",
    primary_name="name",
    ownership="BusinessOwned",
    change_tracking=True,
    fixed_rows=8,
    columns=(
        OWNER_ID,
        key("teamid", "Team", "Team"),
        text("name", "Team Name", "Teamname", "words", length=160),
        memo("description", "Description", "Beschreibung"),
        boolean("isdefault", "Is Default", "Ist Standard"),
        lookup("administratorid", "Administrator", "Administrator", "systemuser", nulls=0.0),
        lookup("businessunitid", "Business Unit", "Unternehmenseinheit", "businessunit", nulls=0.0),
        *TRACES,
    ),
)

TEAM_MEMBERSHIP = Table(
    name="teammembership",
    set_name="teammemberships",
    schema_name="TeamMembership",
    type_code=23,
    label=Label("Team Membership", "Teammitgliedschaft"),
    plural=Label("Team Memberships", "Teammitgliedschaften"),
    key=("teammembershipid",),
    primary_id="teammembershipid",
    intersect=True,
    change_tracking=True,
    ownership="None",
    fixed_rows=90,
    columns=(
        key("teammembershipid", "Team Membership", "Teammitgliedschaft"),
        reference("teamid", "Team", "Team", "team"),
        reference("systemuserid", "User", "Benutzer", "systemuser"),
        VERSION,
    ),
)

BUSINESS_UNIT = Table(
    name="businessunit",
    set_name="businessunits",
    schema_name="BusinessUnit",
    type_code=10,
    label=Label("Business Unit", "Unternehmenseinheit"),
    plural=Label("Business Units", "Unternehmenseinheiten"),
    description="Business, division, or department in the database.",
    key=("businessunitid",),
    primary_id="businessunitid",
    primary_name="name",
    ownership="BusinessOwned",
    change_tracking=True,
    fixed_rows=5,
    columns=(
        key("businessunitid", "Business Unit", "Unternehmenseinheit"),
        text("name", "Name", "Name", "company", length=160),
        text("divisionname", "Division", "Abteilung", "words", 0.2),
        lookup(
            "parentbusinessunitid",
            "Parent Business",
            "Übergeordnete Einheit",
            "businessunit",
            nulls=0.3,
        ),
        *TRACES,
    ),
)

CURRENCY = Table(
    name="transactioncurrency",
    set_name="transactioncurrencies",
    schema_name="TransactionCurrency",
    type_code=9105,
    label=Label("Currency", "Währung"),
    plural=Label("Currencies", "Währungen"),
    description="Currency in which a financial transaction is carried out.",
    key=("transactioncurrencyid",),
    primary_id="transactioncurrencyid",
    primary_name="currencyname",
    ownership="OrganizationOwned",
    change_tracking=True,
    fixed_rows=5,
    columns=(
        key("transactioncurrencyid", "Transaction Currency", "Transaktionswährung"),
        text("currencyname", "Currency Name", "Währungsname", "currency_name"),
        text("isocurrencycode", "Currency Code", "Währungscode", "currency_code", length=5),
        text("currencysymbol", "Currency Symbol", "Währungssymbol", "currency_symbol", length=13),
        integer(
            "currencyprecision", "Currency Precision", "Währungsgenauigkeit", "integer:2:2", 0.0
        ),
        column(
            "exchangerate", Kind.DECIMAL, "Exchange Rate", "Wechselkurs", "currency_rate", scale=12
        ),
        *active_or_not("transactioncurrency"),
        *TRACES,
    ),
)

TERRITORY = Table(
    name="territory",
    set_name="territories",
    schema_name="Territory",
    type_code=2013,
    label=Label("Territory", "Gebiet"),
    plural=Label("Territories", "Gebiete"),
    description="Territory represents sales regions.",
    key=("territoryid",),
    primary_id="territoryid",
    primary_name="name",
    ownership="OrganizationOwned",
    fixed_rows=12,
    columns=(
        key("territoryid", "Territory", "Gebiet"),
        text("name", "Territory Name", "Gebietsname", "region", length=200),
        lookup("managerid", "Manager", "Leiter", "systemuser"),
        *TRACES,
    ),
)

AUDIT = Table(
    name="audit",
    set_name="audits",
    schema_name="Audit",
    type_code=4567,
    label=Label("Auditing", "Überwachung"),
    plural=Label("Audit", "Überwachung"),
    description="Track changes to records for analysis, record keeping, and compliance.",
    key=("auditid",),
    primary_id="auditid",
    ownership="None",
    always_returned=("transactionid", "attributemask"),
    bare_lookups=True,
    share=8,
    columns=(
        key("auditid", "Record", "Datensatz"),
        CREATED_ON,
        choice("action", "Event", "Ereignis", sets.AUDIT_ACTION, 0),
        text("attributemask", "Changed Field", "Geändertes Feld", "words", 0.3, 10000),
        column("objecttypecode", Kind.ENTITY_NAME, "Entity", "Entität", "table"),
        lookup("userid", "Changed By", "Geändert von", "systemuser", nulls=0.0),
        replace(
            lookup(
                "objectid", "Record", "Datensatz", "account", "contact", "opportunity", nulls=0.0
            ),
            nameless=True,
        ),
        column(
            "transactionid",
            Kind.UNIQUE_IDENTIFIER,
            "Transaction Id",
            "Transaktions-ID",
            "nothing",
            computed=True,
        ),
    ),
)

POST_COMMENT = Table(
    name="postcomment",
    set_name="postcomments",
    schema_name="PostComment",
    type_code=8005,
    label=Label("Comment", "Kommentar"),
    plural=Label("Comments", "Kommentare"),
    description="Comment on a post of the activity wall.",
    key=("postcommentid",),
    primary_id="postcommentid",
    primary_name="text",
    ownership="OrganizationOwned",
    share=1,
    columns=(
        key("postcommentid", "Comment", "Kommentar"),
        text("text", "Text", "Text", "paragraph", length=1000),
        CREATED_ON,
        lookup("createdby", "Created By", "Erstellt von", "systemuser", nulls=0.0),
    ),
)

SHARED_ACCESS = Table(
    name="principalobjectaccess",
    set_name="principalobjectaccessset",
    schema_name="PrincipalObjectAccess",
    type_code=11,
    label=Label("Shared Access", "Freigabe"),
    plural=Label("Shared Access", "Freigaben"),
    key=("principalobjectaccessid",),
    primary_id="principalobjectaccessid",
    ownership="None",
    private=True,
    change_tracking=True,
    share=1,
    columns=(
        key("principalobjectaccessid", "Shared Access", "Freigabe"),
        reference("principalid", "Principal", "Prinzipal", "systemuser"),
        reference("objectid", "Object", "Objekt", "account"),
        integer("accessrightsmask", "Rights", "Rechte", "integer:0:200000", 0.0),
        VERSION,
    ),
)

DELETION_FAILURE = Table(
    name="bulkdeletefailure",
    set_name="bulkdeletefailures",
    schema_name="BulkDeleteFailure",
    type_code=4425,
    label=Label("Bulk Delete Failure", "Fehler beim Massenlöschen"),
    plural=Label("Bulk Delete Failures", "Fehler beim Massenlöschen"),
    description="Record that was not deleted during a bulk deletion job.",
    key=("bulkdeletefailureid",),
    primary_id="bulkdeletefailureid",
    ownership="None",
    fixed_rows=30,
    columns=(
        key("bulkdeletefailureid", "Bulk Delete Failure", "Fehler beim Massenlöschen"),
        integer("errornumber", "Error Number", "Fehlernummer", "integer:-2147220000:-1", 0.0),
        text("errordescription", "Error Description", "Fehlerbeschreibung", "paragraph"),
    ),
)

TABLES = (
    PRINCIPAL,
    SYSTEM_USER,
    TEAM,
    TEAM_MEMBERSHIP,
    BUSINESS_UNIT,
    CURRENCY,
    TERRITORY,
    AUDIT,
    POST_COMMENT,
    SHARED_ACCESS,
    DELETION_FAILURE,
)
