"""Options of the data source: the settings of the tap by name, and some of its own.

options = Options.from_texts({"service_url": "https://…", "path": "account", "columns": "name"})
options.table  # "account"
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, cast

from tap_dynamics365.errors import SettingsError
from tap_dynamics365.services.registry import complete_url
from tap_dynamics365.settings import JSON_SCHEMA, Grant, Settings, filters, names
from tap_dynamics365.settings.texts import from_texts, texts_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Partitions of a table, if the options do not say.
PARTITIONS = 8
#: Most partitions: each takes requests to plan.
MOST_PARTITIONS = 1_000

Changes = Literal["", "modifiedon", "tracked"]

# The options that are no settings. `path` is the argument of `load`.
OWN = (
    "table",
    "path",
    "columns",
    "filter",
    "decimals",
    "text",
    "partitions",
    "push_filters",
    "changes",
)
# What Spark adds to the options of a table in a catalog.
OF_SPARK = frozenset({"owner", "provider", "location"})

#: Secrets that Spark's event log would show: it hides only options whose names contain "secret",
#: "password" or "token".
_SHOWN = {
    "connection_url": "set the settings that it consists of, such as service_url and client_id",
    "client_certificate": "set it to the path of a file that every machine of the cluster has",
}
_PEM = "-----BEGIN"
#: Settings of the tap that a DataFrame can't follow, with the way out.
_OF_RUNS = {
    "start_date": "Use the option filter, such as modifiedon ge 2024-01-01T00:00:00Z",
    "replication_method": "Streams have the option changes",
    "stmt_call_limit_behavior": "A DataFrame has all rows, or fails",
    "metadata_streams": "The list of tables describes them",
}
# Options that say what to read of a table.
_OF_A_TABLE = ("columns", "filter", "text")
_CHOICES: dict[str, tuple[str, ...]] = {
    "push_filters": ("true", "false"),
    "changes": ("modifiedon", "tracked"),
    "decimals": ("exact", "text"),
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of one DataFrame.

    Attributes:
        config: The settings of the tap by name, with the sign-in of the first app.
        apps: The settings of each app that signs in; one mapping if the options have no lists.
        table: The table; empty for the list of tables.
        columns: The columns to read; all columns if empty.
        row_filter: A condition in OData, which every row fulfils; empty for all rows.
        decimals: `exact` for decimal numbers, `text` for the digits that the service writes.
        text: Columns whose values are read as text.
        partitions: How many partitions a table has.
        push_filters: Whether filters of a query are sent to the service.
        changes: How a stream finds out what has changed; empty for a batch.
    """

    config: Mapping[str, Any] = field(repr=False)
    apps: Sequence[Mapping[str, str]] = field(repr=False)
    table: str = ""
    columns: tuple[str, ...] = ()
    row_filter: str = ""
    decimals: Literal["exact", "text"] = "exact"
    text: tuple[str, ...] = ()
    partitions: int = PARTITIONS
    push_filters: bool = False
    changes: Changes = ""

    @classmethod
    def from_texts(cls, texts: Mapping[str, str | None]) -> Options:
        """Check the options that a user has set.

        Args:
            texts: A text by the name of each option; None if it is not set. Names are
                case-insensitive.

        Returns:
            The options.

        Raises:
            SettingsError: An option is missing, misspelt, or has a wrong value. The message never
                contains a value, because the value may be a secret.
        """
        given = {
            name.lower(): str(text)
            for name, text in texts.items()
            if text is not None and _is_meant(name.lower())
        }
        _check_one_table(given.pop("paths", ""))
        _check_names(given)
        _check_secrets(given)
        _check_meaning(given)
        own = {name: given.pop(name) for name in OWN if name in given}
        table = _table(own)
        config, apps = _apps(from_texts(given))
        for app in apps:
            # Spark would show a traceback for each partition.
            found = Settings.from_config({**config, **app}, JSON_SCHEMA, complete_url=complete_url)
            if len(apps) > 1 and found.grant is not Grant.CLIENT_SECRET:
                msg = f"Several apps sign in with client_secret: remove {_name_of(found.grant)}."
                raise SettingsError(msg)
        row_filter = own.get("filter", "").strip()
        if row_filter and (flaw := filters.flaw(row_filter)):
            msg = f"The option filter {flaw}."
            raise SettingsError(msg)
        return cls(
            config={**config, **apps[0]},
            apps=apps,
            table=table,
            columns=_names(own, "columns"),
            row_filter=row_filter,
            decimals="text" if _choice(own, "decimals") == "text" else "exact",
            text=_names(own, "text"),
            partitions=_partitions(own.get("partitions")),
            push_filters=_choice(own, "push_filters") == "true",
            changes=cast("Changes", _choice(own, "changes")),
        )

    def reading(self, columns: Sequence[str]) -> Options:
        """Return the options with which the columns of a schema are read.

        Args:
            columns: The columns, in any order.
        """
        return replace(self, columns=tuple(columns))


def _name_of(grant: Grant | None) -> str:
    return str(grant.value) if grant else ""


def _is_meant(name: str) -> bool:
    """Tell whether an option was set by the user, not by Spark."""
    return name not in OF_SPARK and "." not in name


def _check_names(given: Mapping[str, str]) -> None:
    known = {**JSON_SCHEMA["properties"], **{name: {} for name in OWN}}
    for name, near, is_misspelt in names.find_unknown(given, {"properties": known}):
        hint = f": rename it to {near}, or remove it" if is_misspelt else ""
        msg = f"Unknown option {name}{hint or ': docs/spark.md lists the options'}."
        raise SettingsError(msg)


def _check_one_table(paths: str) -> None:
    """Refuse several arguments of `load`, which Spark passes as the option `paths`."""
    if paths.strip() not in {"", "[]"}:
        msg = "A DataFrame has one table: call load for each table."
        raise SettingsError(msg)


def _check_meaning(given: Mapping[str, str]) -> None:
    for name, way_out in _OF_RUNS.items():
        if given.get(name, "").strip():
            msg = f"The option {name} is for runs of the tap: remove it. {way_out}."
            raise SettingsError(msg)


def _check_secrets(given: Mapping[str, str]) -> None:
    for name, way_out in _SHOWN.items():
        value = given.get(name, "")
        if (name == "connection_url" and value) or _PEM in value:
            msg = f"The option {name} would show a secret in the event log of Spark: {way_out}."
            raise SettingsError(msg)


def _apps(config: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """Split lists in `client_id` and `client_secret` into one app each.

    Returns:
        The settings that all apps share, and those of each app.
    """
    lists = {name: _list(config.get(name, "")) for name in ("client_id", "client_secret")}
    # A secret may begin with a bracket, and an id may not.
    if lists["client_secret"] is None and "[" not in config.get("client_id", ""):
        return config, [{}]
    sizes = {len(values or ()) for values in lists.values()}
    if len(sizes) != 1 or 0 in sizes:
        msg = (
            "The options client_id and client_secret must be JSON arrays of the same length, if "
            "several apps sign in."
        )
        raise SettingsError(msg)
    shared = {name: value for name, value in config.items() if name not in lists}
    return shared, [
        dict(zip(lists, values, strict=True))
        for values in zip(*(values or () for values in lists.values()), strict=True)
    ]


def _list(text: str) -> list[str] | None:
    """Read a JSON array of texts; None if the text is none."""
    found = texts_of(text) if text.lstrip().startswith("[") else None
    return found if isinstance(found, list) else None


def _table(own: Mapping[str, str]) -> str:
    named = {own[name].strip() for name in ("table", "path") if own.get(name, "").strip()}
    if len(named) > 1:
        msg = "The option table and the argument of load name different tables: keep one of them."
        raise SettingsError(msg)
    if named:
        return named.pop()
    for name in _OF_A_TABLE:
        if own.get(name, "").strip():
            msg = f"The option {name} needs a table: name it in load."
            raise SettingsError(msg)
    return ""


def _names(own: Mapping[str, str], name: str) -> tuple[str, ...]:
    found = texts_of(own.get(name, ""))
    if isinstance(found, list):
        return tuple(dict.fromkeys(found))
    msg = f"The option {name} must be names separated by commas, or a JSON array of names."
    raise SettingsError(msg)


def _partitions(text: str | None) -> int:
    if text is None:
        return PARTITIONS
    if not text.strip().isdecimal() or not 1 <= int(text) <= MOST_PARTITIONS:
        msg = f"The option partitions must be an integer from 1 to {MOST_PARTITIONS}."
        raise SettingsError(msg)
    return int(text)


def _choice(own: Mapping[str, str], name: str) -> str:
    text = own.get(name, "").strip().lower()
    if text and text not in _CHOICES[name]:
        msg = f"The option {name} must be {' or '.join(_CHOICES[name])}."
        raise SettingsError(msg)
    return text
