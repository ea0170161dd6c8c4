"""Tables of activities: emails, tasks, and what belongs to them."""

from __future__ import annotations

from sandbox.data.model import Column, Kind, Label, Option, Table
from sandbox.dataverse.organisation import choices as sets
from sandbox.dataverse.organisation.columns import (
    OWNED,
    TRACES,
    VERSION,
    boolean,
    choice,
    column,
    integer,
    key,
    lookup,
    memo,
    moment,
    reference,
    state,
    text,
    wall_clock,
)

COMMON = (
    key("activityid", "Activity", "Aktivität"),
    column(
        "activitytypecode",
        Kind.ENTITY_NAME,
        "Activity Type",
        "Aktivitätstyp",
        "own_name",
        computed=True,
    ),
    text("subject", "Subject", "Betreff", "words", length=400),
    memo("description", "Description", "Beschreibung", "long_text", 0.4),
    choice("prioritycode", "Priority", "Priorität", sets.PRIORITY, 0.0),
    moment("scheduledstart", "Start Date", "Startdatum"),
    moment("scheduledend", "Due Date", "Fälligkeitsdatum"),
    moment("actualend", "Actual End", "Tatsächliches Ende", nulls=0.6),
    integer("actualdurationminutes", "Actual Duration", "Tatsächliche Dauer", "integer:1:480", 0.5),
    boolean("isworkflowcreated", "Is Workflow Created", "Durch Workflow erstellt", 0.2),
    lookup("regardingobjectid", "Regarding", "Bezug", "account", "contact", "opportunity", "lead"),
    *state(
        "activitypointer",
        (
            Option(0, Label("Open", "Offen")),
            Option(1, Label("Completed", "Abgeschlossen")),
            Option(2, Label("Canceled", "Abgebrochen")),
        ),
        (
            Option(1, Label("Open", "Offen"), 0),
            Option(2, Label("Completed", "Abgeschlossen"), 1),
            Option(3, Label("Canceled", "Abgebrochen"), 2),
        ),
    ),
    *OWNED,
    *TRACES,
)


def _activity(name: str, code: int, english: str, german: str, share: float, *own: Column) -> Table:
    return Table(
        name=name,
        set_name=f"{name}s",
        schema_name=name.capitalize(),
        type_code=code,
        label=Label(english, german),
        plural=Label(f"{english}s", german),
        description=f"{english}: an activity of the kind {name}.",
        base="activitypointer",
        key=("activityid",),
        primary_id="activityid",
        primary_name="subject",
        activity=True,
        change_tracking=True,
        share=share,
        columns=(*COMMON, *own),
    )


EMAIL = _activity(
    "email",
    4202,
    "Email",
    "E-Mail",
    6,
    text("trackingtoken", "Tracking Token", "Nachverfolgungstoken", "number:CRM:", 0.2, 50),
    text("sender", "From", "Von", "email", length=250),
    text("torecipients", "To Recipients", "An-Empfänger", "email", length=500),
    boolean(
        "directioncode",
        "Direction",
        "Richtung",
        yes=Label("Outgoing", "Ausgehend"),
        no=Label("Incoming", "Eingehend"),
    ),
    integer("attachmentcount", "Attachment Count", "Anzahl der Anlagen", "integer:0:9", 0.0),
)
TASK = _activity(
    "task",
    4212,
    "Task",
    "Aufgabe",
    5,
    text("category", "Category", "Kategorie", "words", 0.5, 250),
    integer("percentcomplete", "Percent Complete", "Prozent abgeschlossen", "integer:0:100"),
)
PHONE_CALL = _activity(
    "phonecall",
    4210,
    "Phone Call",
    "Telefonanruf",
    3,
    text("phonenumber", "Phone Number", "Telefonnummer", "phone", 0.1, 200),
    boolean("leftvoicemail", "Left Voice Mail", "Sprachnachricht hinterlassen"),
)
APPOINTMENT = _activity(
    "appointment",
    4201,
    "Appointment",
    "Termin",
    3,
    text("location", "Location", "Ort", "city", 0.3, 200),
    boolean("isalldayevent", "All Day Event", "Ganztägiges Ereignis"),
    wall_clock("originalstartdate", "Original Start Date", "Ursprüngliches Startdatum"),
)

ACTIVITY_POINTER = Table(
    name="activitypointer",
    set_name="activitypointers",
    schema_name="ActivityPointer",
    type_code=4200,
    label=Label("Activity", "Aktivität"),
    plural=Label("Activities", "Aktivitäten"),
    description="Task performed, or to be performed, by a user.",
    key=("activityid",),
    primary_id="activityid",
    primary_name="subject",
    abstract=True,
    activity=True,
    change_tracking=True,
    union_of=("email", "task", "phonecall", "appointment"),
    columns=COMMON,
)

ACTIVITY_PARTY = Table(
    name="activityparty",
    set_name="activityparties",
    schema_name="ActivityParty",
    type_code=135,
    label=Label("Activity Party", "Aktivitätspartei"),
    plural=Label("Activity Parties", "Aktivitätsparteien"),
    description="Person or group associated with an activity.",
    key=("activitypartyid",),
    primary_id="activitypartyid",
    ownership="None",
    change_tracking=True,
    share=6,
    columns=(
        key("activitypartyid", "Activity Party", "Aktivitätspartei"),
        lookup(
            "activityid",
            "Activity",
            "Aktivität",
            "email",
            "task",
            "phonecall",
            "appointment",
            nulls=0.0,
        ),
        lookup("partyid", "Party", "Partei", "account", "contact", "systemuser"),
        choice(
            "participationtypemask", "Participation Type", "Teilnahmetyp", sets.PARTICIPATION, 0.0
        ),
        text("addressused", "Address", "Adresse", "email", 0.3),
        VERSION,
    ),
)

NOTE = Table(
    name="annotation",
    set_name="annotations",
    schema_name="Annotation",
    type_code=5,
    label=Label("Note", "Notiz"),
    plural=Label("Notes", "Notizen"),
    description="Note that is attached to one or more objects.",
    key=("annotationid",),
    primary_id="annotationid",
    primary_name="subject",
    change_tracking=True,
    share=3,
    columns=(
        key("annotationid", "Note", "Notiz"),
        text("subject", "Title", "Titel", "words", length=500),
        memo("notetext", "Description", "Beschreibung", "long_text", 0.2),
        text("filename", "File Name", "Dateiname", "file_name", 0.6, 255),
        memo("documentbody", "Document", "Dokument", "base64", 0.8),
        boolean("isdocument", "Is Document", "Ist Dokument"),
        lookup("objectid", "Regarding", "Bezug", "account", "contact", "opportunity"),
        *OWNED,
        *TRACES,
    ),
)

MARKETING_LIST = Table(
    name="list",
    set_name="lists",
    schema_name="List",
    type_code=4300,
    label=Label("Marketing List", "Marketingliste"),
    plural=Label("Marketing Lists", "Marketinglisten"),
    description="Group of existing or potential customers created for a campaign.",
    key=("listid",),
    primary_id="listid",
    primary_name="listname",
    change_tracking=True,
    fixed_rows=20,
    columns=(
        key("listid", "List", "Liste"),
        text("listname", "Name", "Name", "words", length=128),
        boolean(
            "type", "Type", "Typ", yes=Label("Dynamic", "Dynamisch"), no=Label("Static", "Statisch")
        ),
        integer("membercount", "Members Count", "Anzahl der Mitglieder"),
        *OWNED,
        *TRACES,
    ),
)

LIST_MEMBER = Table(
    name="listmember",
    set_name="listmembers",
    schema_name="ListMember",
    type_code=4301,
    label=Label("Marketing List Member", "Marketinglistenmitglied"),
    plural=Label("Marketing List Members", "Marketinglistenmitglieder"),
    key=("listmemberid",),
    primary_id="listmemberid",
    intersect=True,
    ownership="None",
    share=3,
    columns=(
        key("listmemberid", "Marketing List Member", "Marketinglistenmitglied"),
        reference("listid", "Marketing List", "Marketingliste", "list"),
        reference("entityid", "Member", "Mitglied", "contact"),
        VERSION,
    ),
)

TABLES = (
    ACTIVITY_POINTER,
    EMAIL,
    TASK,
    PHONE_CALL,
    APPOINTMENT,
    ACTIVITY_PARTY,
    NOTE,
    MARKETING_LIST,
    LIST_MEMBER,
)
