"""File catalog.json: selection and replication, applied to a discovered catalog."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import msgspec

from tap_dynamics365.config_files import change
from tap_dynamics365.config_files.change import Change
from tap_dynamics365.errors import InputError
from tap_dynamics365.singer.select_rules import select, selectable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from tap_dynamics365.config_files.replication import Replication
    from tap_dynamics365.singer.select_rules import Selection

NAME = "catalog.json"
# What a person chooses in the metadata of a table or a column.
_CHOSEN = ("selected", "replication-method", "replication-key", "table-key-properties")


def plan(
    path: Path,
    catalog: Mapping[str, Any],
    rules: Sequence[str] | None = None,
    replication: Mapping[str, Replication] | None = None,
) -> Change:
    """Plan to write a catalog.

    Args:
        path: The file. It need not exist.
        catalog: The catalog, as discovered now.
        rules: The select rules. Without them, what the file selects stays selected.
        replication: The replication of tables. Without it, the choices in the file stay.

    Returns:
        The change.

    Raises:
        InputError: The file can't be read, or is no catalog; or a table does not exist.
    """
    before = change.read(path)
    new = copy.deepcopy(dict(catalog))
    if before is not None:
        _take_over(new, _parsed(path, before))
    choose(new, rules, replication or {})
    text = msgspec.json.format(msgspec.json.encode(new), indent=2) + b"\n"
    return Change(path, before, text, _cover, has_secrets=False)


def choose(
    catalog: Mapping[str, Any],
    rules: Sequence[str] | None,
    replication: Mapping[str, Replication],
) -> None:
    """Choose tables, columns and replication in a catalog.

    Args:
        catalog: The catalog, which is changed.
        rules: The select rules; None leaves what is selected.
        replication: The replication of tables. That of others stays.

    Raises:
        InputError: A table does not exist.
    """
    if rules is not None:
        apply(catalog, select(rules, selectable(catalog)))
    tables = {stream["tap_stream_id"]: stream for stream in catalog["streams"]}
    for name, chosen in replication.items():
        if name not in tables:
            msg = f"The catalog has no table {name}: dynamics365 tables lists the tables."
            raise InputError(msg)
        _replicate(tables[name], chosen)


def apply(catalog: Mapping[str, Any], selection: Selection) -> None:
    """Select tables and columns in a catalog.

    Args:
        catalog: The catalog, which is changed.
        selection: The selected columns of each selected table.
    """
    for stream in catalog["streams"]:
        columns = selection.get(stream["tap_stream_id"])
        for item in stream["metadata"]:
            metadata = item["metadata"]
            if not item["breadcrumb"]:
                metadata["selected"] = columns is not None
            elif metadata.get("inclusion") == "available":
                metadata["selected"] = columns is not None and item["breadcrumb"][1] in columns


def _take_over(new: Mapping[str, Any], old: Mapping[str, Any]) -> None:
    """Take the choices in an older catalog over."""
    chosen = {
        (stream["tap_stream_id"], *item["breadcrumb"]): item["metadata"]
        for stream in old["streams"]
        for item in stream["metadata"]
    }
    for stream in new["streams"]:
        for item in stream["metadata"]:
            known = chosen.get((stream["tap_stream_id"], *item["breadcrumb"]), {})
            item["metadata"] |= {key: known[key] for key in _CHOSEN if key in known}


def _replicate(stream: Mapping[str, Any], chosen: Replication) -> None:
    if chosen.key and chosen.key not in stream["schema"]["properties"]:
        msg = f"The table {stream['tap_stream_id']} has no column {chosen.key}."
        raise InputError(msg)
    metadata = next(item["metadata"] for item in stream["metadata"] if not item["breadcrumb"])
    metadata["replication-method"] = chosen.method
    metadata.pop("replication-key", None)
    if chosen.key:
        metadata["replication-key"] = chosen.key


def _parsed(path: Path, content: bytes) -> dict[str, Any]:
    try:
        catalog: dict[str, Any] = msgspec.json.decode(change.decode(content))
        # An entry without metadata is none.
        selectable(catalog)
    except (ValueError, LookupError, TypeError, AttributeError):
        msg = f"The file {path} is no catalog: correct it, or remove it."
        raise InputError(msg) from None
    return catalog


def _cover(text: str, mask: Callable[[str], str]) -> str:  # noqa: ARG001 - a catalog has no secret
    return text
