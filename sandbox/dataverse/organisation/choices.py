"""Choices of the organisation, with English and German labels."""

from __future__ import annotations

from sandbox.data.model import Label, Option, OptionSet


def _option_set(name: str, *labels: tuple[int, str, str], is_global: bool = False) -> OptionSet:
    options = tuple(Option(value, Label(english, german)) for value, english, german in labels)
    return OptionSet(name, options, is_global)


INDUSTRY = _option_set(
    "account_industrycode",
    (1, "Accounting", "Buchhaltung"),
    (2, "Agriculture", "Landwirtschaft"),
    (3, "Broadcasting", "Rundfunk"),
    (4, "Brokers", "Makler"),
    (5, "Building Supply Retail", "Baustoffhandel"),
    (6, "Business Services", "Unternehmensdienstleistungen"),
    (7, "Consulting", "Beratung"),
    (8, "Consumer Services", "Dienstleistungen für Verbraucher"),
    (9, "Durable Manufacturing", "Herstellung langlebiger Güter"),
    (10, "Vehicle Retail", "Fahrzeughandel"),
    (11, "Utility Creation and Distribution", "Energieversorgung"),
    (12, "Wholesale", "Großhandel"),
)
CUSTOMER_TYPE = _option_set(
    "account_customertypecode",
    (1, "Competitor", "Mitbewerber"),
    (2, "Consultant", "Berater"),
    (3, "Customer", "Kunde"),
    (4, "Investor", "Investor"),
    (5, "Partner", "Partner"),
    (10, "Supplier", "Lieferant"),
    (12, "Other", "Sonstige"),
)
RATING = _option_set(
    "lead_leadqualitycode", (1, "Hot", "Heiß"), (2, "Warm", "Warm"), (3, "Cold", "Kalt")
)
SOURCE = _option_set(
    "lead_leadsourcecode",
    (1, "Advertisement", "Werbung"),
    (2, "Employee Referral", "Mitarbeiterempfehlung"),
    (6, "Seminar", "Seminar"),
    (7, "Trade Show", "Messe"),
    (8, "Web", "Internet"),
    (9, "Word of Mouth", "Mundpropaganda"),
)
GENDER = _option_set("contact_gendercode", (1, "Male", "Männlich"), (2, "Female", "Weiblich"))
PRIORITY = _option_set(
    "activitypointer_prioritycode",
    (0, "Low", "Niedrig"),
    (1, "Normal", "Normal"),
    (2, "High", "Hoch"),
)
PAYMENT_TERMS = _option_set(
    "account_paymenttermscode",
    (1, "Net 30", "30 Tage netto"),
    (2, "2% 10, Net 30", "2% 10, 30 Tage netto"),
    (3, "Net 45", "45 Tage netto"),
    (4, "Net 60", "60 Tage netto"),
)
CONTACT_METHOD = _option_set(
    "account_preferredcontactmethodcode",
    (1, "Any", "Beliebig"),
    (2, "Email", "E-Mail"),
    (3, "Phone", "Telefon"),
    (5, "Mail", "Post"),
)
HOBBIES = _option_set(
    "new_topics",
    (1, "Fishing", "Angeln"),
    (2, "Hiking", "Wandern"),
    (3, "Swimming", "Schwimmen"),
    (8, "Cycling", "Radfahren"),
    (9, 'Reading, "quiet"', "Lesen, „ruhig“"),
    is_global=True,
)
REGION = _option_set(
    "new_region",
    (100000000, "North", "Nord"),
    (100000001, "South", "Süd"),
    (100000002, "Overseas", "Übersee"),
    is_global=True,
)
AUDIT_ACTION = _option_set(
    "audit_action",
    (1, "Create", "Erstellen"),
    (2, "Update", "Aktualisieren"),
    (3, "Delete", "Löschen"),
)
PARTICIPATION = _option_set(
    "activityparty_participationtypemask",
    (1, "Sender", "Absender"),
    (2, "To Recipient", "An-Empfänger"),
    (3, "CC Recipient", "CC-Empfänger"),
    (9, "Owner", "Besitzer"),
)
