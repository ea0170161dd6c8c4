"""Function `RetrieveMetadataChanges`: all metadata in one response, later only changes.

The sources are Microsoft Learn, "Query schema definitions" and "Cache schema data", and for the
types the CSDL documents of version 9.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from sandbox.data.model import ENGLISH
from sandbox.faults.errors import bad_query, expired_version_stamp
from sandbox.metadata import descriptions
from sandbox.metadata.metadata_query import Query, fits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.data.clock import Clock
    from sandbox.data.model import Column, OptionSet, Table
    from sandbox.metadata.definitions import Definitions
    from sandbox.metadata.metadata_query import Labels, Part, Properties

Json = dict[str, Any]
PATH = re.compile(r"RetrieveMetadataChanges(?:\((.*)\))?$")
ARGUMENT = re.compile(r"(\w+)=(@\w+|[\w.]*'[^']*'|null)(?:,|$)")
STAMP = re.compile(r"(\d+)!(\d\d/\d\d/\d{4} \d\d:\d\d:\d\d)")
MOMENT = "%m/%d/%Y %H:%M:%S"
ALL = 31
FILTERS = {"Default": 1, "Attribute": 2, "Relationship": 4, "Label": 8, "OptionSet": 16, "All": ALL}
# Members that are always returned.
ALWAYS = frozenset({"@odata.type", "MetadataId", "HasChanged"})
# Members of an item that itself has not changed; the others are null. The documentation says so of
# options; for tables and columns it is an assumption.
BARE = ALWAYS | {"LogicalName"}
# Metadata types without members of their own.
BASE_KINDS = {descriptions.SUFFIX, f"UniqueIdentifier{descriptions.SUFFIX}"}
RELATIONSHIPS = ("ManyToOneRelationships", "OneToManyRelationships", "ManyToManyRelationships")


class MetadataChanges:
    """Answers calls of the function.

    Args:
        definitions: Definitions of the tables.
        clock: Clock of the service.

    Attributes:
        days: Lifetime of a version stamp in days (`ExpireSubscriptionsInDays` of the organisation).
    """

    def __init__(self, definitions: Definitions, clock: Clock) -> None:
        self.definitions = definitions
        self.model = definitions.model
        self.clock = clock
        self.days = 90
        self._expired = 0

    def expire(self) -> None:
        """Expire all version stamps."""
        self.model.version += 1
        self._expired = self.model.version

    def knows(self, path: str) -> bool:
        """Return whether a path calls the function."""
        return PATH.match(path) is not None

    def arguments(self, path: str, given: dict[str, str]) -> dict[str, str]:
        """Return the arguments of a call, with aliases resolved.

        Args:
            path: Decoded path below the service root.
            given: Decoded query options.

        Raises:
            ServiceError: The call is invalid, or its version stamp has expired.
        """
        match = PATH.match(path)
        text = (match[1] if match else None) or ""
        found = {name: given.get(value, value) for name, value in ARGUMENT.findall(text)}
        left = ARGUMENT.sub("", text)
        unknown = set(found) - {"Query", "ClientVersionStamp", "DeletedMetadataFilters"}
        if left or unknown or any(value.startswith("@") for value in found.values()):
            message = f"Syntax error in the parameters of the function: '{text}'."
            raise bad_query(message)
        found = {name: value for name, value in found.items() if value != "null"}
        if stamp := found.get("ClientVersionStamp"):
            self._since(stamp)
        return found

    def get(self, arguments: dict[str, str], root: str) -> bytes:
        """Return the response to a call.

        Args:
            arguments: Arguments, as `arguments` returns them.
            root: URL of the service root.

        Raises:
            ServiceError: The query is invalid.
        """
        try:
            query = msgspec.json.decode(arguments.get("Query", "{}"), type=Query)
        except msgspec.DecodeError as error:
            message = f"Error identified in Payload provided by the user: {error}."
            raise bad_query(message) from None
        stamp = arguments.get("ClientVersionStamp")
        now = self.clock.now().strftime(MOMENT)
        before = self._before(self._since(stamp)) if stamp else None
        deleted = arguments.get("DeletedMetadataFilters", "'Default'")
        return msgspec.json.encode(
            {
                "@odata.context": f"{root}$metadata#Microsoft.Dynamics.CRM."
                "RetrieveMetadataChangesResponse",
                "ServerVersionStamp": f"{self.model.version}!{now}",
                "DeletedMetadata": self._deleted(before or {}, deleted),
                "EntityMetadata": [*self._tables(query, before)],
            }
        )

    def _since(self, argument: str) -> int:
        """Return the metadata version of a version stamp."""
        match = STAMP.fullmatch(argument.strip("'"))
        if match is None:
            message = f"The version stamp {argument} is invalid."
            raise bad_query(message)
        moment = datetime.strptime(match[2], MOMENT).replace(tzinfo=self.clock.now().tzinfo)
        too_old = moment < self.clock.now() - timedelta(days=self.days)
        if too_old or int(match[1]) < self._expired:
            raise expired_version_stamp()
        return int(match[1])

    def _before(self, version: int) -> dict[str, Table | None]:
        """Return the tables that changed after a version, as they were then.

        Tables that did not exist then are None.
        """
        found: dict[str, Table | None] = {}
        for then, name, table in self.model.history:
            if then > version:
                found.setdefault(name, table)
        return found

    def _deleted(self, before: dict[str, Table | None], argument: str) -> Json:
        """Return the ids of tables and columns that were deleted after a version."""
        words = argument.rpartition("DeletedMetadataFilters")[2].strip("'").split(",")
        if any(word.strip() not in FILTERS for word in words):
            message = f"Unknown member of DeletedMetadataFilters: {argument}."
            raise bad_query(message)
        wanted = sum({FILTERS[word.strip()] for word in words})
        tables, columns = [], []
        for name, old in before.items():
            new = self.model.by_name.get(name)
            if old is None:
                continue
            if new is None:
                tables.append(descriptions.identifier(name))
                continue
            columns += sorted(_ids(old) - _ids(new))
        found = {"Default": tables, "Attribute": columns}
        kept = {name: ids for name, ids in found.items() if ids and wanted & FILTERS[name]}
        return {
            "Count": len(kept),
            "IsReadOnly": False,
            "Keys": list(kept),
            "Values": [{"Items": ids} for ids in kept.values()],
        }

    def _tables(self, query: Query, before: dict[str, Table | None] | None) -> Iterator[Json]:
        for table in self.model.tables:
            row = self.definitions.tables[table.name]
            if before is not None and table.name not in before:
                continue
            if not fits(query.criteria, row, "EntityMetadata"):
                continue
            old = before.get(table.name) if before is not None else None
            names = _names(query.properties)
            found = _kept(row, names)
            if old is not None:
                same = descriptions.entity(old, self.model.user_language) == row
                found = _bare(found) if same else found | {"HasChanged": True}
            elif before is not None:
                found["HasChanged"] = True
            if names is None or "Attributes" in names:
                known = None if old is None else {each.name: each for each in old.columns}
                found["Attributes"] = [*self._columns(table, query.attribute_query, known)]
            for name in RELATIONSHIPS:
                if names is None or name in names:
                    found[name] = self._related(table, name, query.relationship_query)
            yield _in_languages(found, query.label_query)

    def _columns(
        self, table: Table, part: Part | None, known: dict[str, Column] | None
    ) -> Iterator[Json]:
        """Yield the columns of a table, or only those that changed."""
        criteria = part.criteria if part else None
        names = _names(part.properties if part else None)
        now = {column.name: column for column in table.columns}
        for row in self.definitions.columns(table):
            name = row["AttributeOf"] or row["LogicalName"]
            old, new = (known or {}).get(name), now[name]
            if old == new:
                continue
            only_options = old is not None and replace(old, options=new.options) == new
            if only_options and row["AttributeOf"]:
                continue
            if not fits(criteria, row, "AttributeMetadata"):
                continue
            found = _kept(row, names)
            found.pop("GlobalOptionSet", None)
            kind = found.pop("@odata.type").rpartition(".")[2]
            if kind not in BASE_KINDS:
                found = {"@odata.type": f"#Microsoft.Dynamics.CRM.Complex{kind}", **found}
            if known is not None:
                found["HasChanged"] = True
            if old is not None and old.options is not None and only_options:
                choice = found.get("OptionSet")
                found = _bare(found)
                if choice is not None:
                    found["OptionSet"] = _with_new_labels(choice, old.options)
            yield found

    def _related(self, table: Table, name: str, part: Part | None) -> list[Json]:
        criteria = part.criteria if part else None
        names = _names(part.properties if part else None)
        return [
            _kept(row, names)
            for row in self.definitions.related(name, table)
            if fits(criteria, row, "OneToManyRelationshipMetadata")
        ]


def _ids(table: Table) -> set[str]:
    """Return the ids of all columns of a table."""
    own = {descriptions.identifier(table.name, column.name) for column in table.columns}
    return own | {shadow["MetadataId"] for shadow in descriptions.shadows(table, ENGLISH)}


def _names(properties: Properties | None) -> set[str] | None:
    """Return the names of the requested properties; None for all."""
    if properties is None:
        return set()
    return None if properties.all_properties else set(properties.property_names or ())


def _kept(row: Json, names: set[str] | None) -> Json:
    """Return a row with the requested properties; unknown names are ignored."""
    if names is None:
        return {**row}
    wanted = names | ALWAYS
    return {name: value for name, value in row.items() if name in wanted}


def _bare(row: Json) -> Json:
    """Return an item that itself has not changed."""
    return {name: value if name in BARE else None for name, value in row.items()} | {
        "HasChanged": False
    }


def _with_new_labels(choice: Json, old: OptionSet) -> Json:
    """Return a choice with all values, and with the labels of new and changed values only.

    See "Tracking Options" in "Cache schema data".
    """
    labels = {option.value: option.label for option in old.options}

    def told(option: Json) -> Json:
        before = labels.get(option["Value"])
        texts = [each["Label"] for each in option["Label"]["LocalizedLabels"]]
        if before is None or texts != [before.english, before.german]:
            return option
        return option | {"Label": None}

    found = choice | {"HasChanged": True}
    for name in found.keys() & {"TrueOption", "FalseOption"}:
        found[name] = told(found[name])
    if "Options" in found:
        found["Options"] = [told(option) for option in found["Options"]]
    return found


def _in_languages(row: Json, query: Labels | None) -> Json:
    """Return a table with labels in the requested languages."""
    if query is None or not query.filter_languages:
        return row
    wanted = set(query.filter_languages)

    def filtered(value: Any) -> Any:  # noqa: ANN401  - JSON
        if isinstance(value, list):
            return [filtered(each) for each in value]
        if not isinstance(value, dict):
            return value
        if "LocalizedLabels" not in value:
            return {name: filtered(each) for name, each in value.items()}
        user = value["UserLocalizedLabel"]
        return {
            "LocalizedLabels": [
                each for each in value["LocalizedLabels"] if each["LanguageCode"] in wanted
            ],
            "UserLocalizedLabel": user if user and user["LanguageCode"] in wanted else None,
        }

    found: Json = filtered(row)
    return found
