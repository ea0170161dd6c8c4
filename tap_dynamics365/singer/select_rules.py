r"""Select rules: Meltano's patterns that select tables and columns, such as `account.*`.

A rule is `table.column`, with wildcards of the shell in both parts; `!` before it excludes.
`account` and `account.*` are all columns of a table, `!account.*` excludes the table. The order
does not matter: what a rule excludes stays out. In the name of a table, `\.` is a dot.

https://docs.meltano.com/concepts/plugins/#select-extra

    rules = ["account.*", "!account.address*"]
    select(rules, selectable(catalog))  # {"account": frozenset({"name", "revenue", …})}
"""

from __future__ import annotations

import re
from enum import Enum
from fnmatch import filter as matching
from fnmatch import fnmatch
from os.path import normcase
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

#: What Meltano selects without a rule.
DEFAULT = ("*.*",)

#: The selected columns of each selected table. Automatic columns are not among them.
Selection = dict[str, frozenset[str]]

# A pattern stands for at least so many names: fewer are easier to read one by one.
LEAST = 3

_WILDCARD = re.compile(r"[*?\[]")
_DOT = re.compile(r"(?<!\\)\.")
# Where a prefix of a name may end: after `new_`, and within `addressCity`.
_BOUNDARY = re.compile(r"(?<=_)(?=.)|(?<=[a-z])(?=[A-Z0-9])")


class Extent(Enum):
    """How much of a table is selected.

    Attributes:
        ALL: All columns.
        SOME: The automatic columns, and not all of the others.
        NONE: The table is not selected.
    """

    ALL = "all"
    SOME = "some"
    NONE = "none"


class Columns(NamedTuple):
    """The columns of a table.

    Attributes:
        optional: Those that rules select.
        automatic: Those that are always sent, if the table is selected.
    """

    optional: frozenset[str]
    automatic: frozenset[str]


class _Rule(NamedTuple):
    """A rule.

    Attributes:
        table: The pattern of tables.
        columns: The patterns of columns.
        has_table: Whether the rule holds for the table itself too.
        excludes: Whether the rule excludes.
    """

    table: str
    columns: tuple[str, ...]
    has_table: bool
    excludes: bool


def selectable(catalog: Mapping[str, Any]) -> dict[str, Columns]:
    """Read which tables and columns there are.

    Args:
        catalog: A Singer catalog.

    Returns:
        The columns of each table.
    """
    found = {}
    for stream in catalog["streams"]:
        inclusion = {
            item["breadcrumb"][1]: item["metadata"].get("inclusion")
            for item in stream["metadata"]
            if len(item["breadcrumb"]) == 2  # noqa: PLR2004 - "properties" and a name
        }
        automatic = frozenset(name for name, how in inclusion.items() if how == "automatic")
        optional = {name for name, how in inclusion.items() if how != "unsupported"}
        found[stream["tap_stream_id"]] = Columns(frozenset(optional - automatic), automatic)
    return found


def selected(catalog: Mapping[str, Any]) -> Selection:
    """Read what a catalog selects.

    Args:
        catalog: A Singer catalog.
    """
    found = {}
    tables = selectable(catalog)
    for stream in catalog["streams"]:
        chosen = {
            tuple(item["breadcrumb"][1:]): _is_selected(item["metadata"])
            for item in stream["metadata"]
        }
        name = stream["tap_stream_id"]
        if chosen.get(()):
            # A column without a choice of its own follows the table, as in the Meltano SDK.
            found[name] = frozenset(c for c in tables[name].optional if chosen[c,] is not False)
    return found


def select(rules: Iterable[str], tables: Mapping[str, Columns]) -> Selection:
    """Find what rules select.

    Args:
        rules: The rules.
        tables: The columns of each table.
    """
    by_name: dict[str, list[_Rule]] = {}
    with_wildcard, found = [], {}
    for rule in map(_parse, rules):
        if _WILDCARD.search(rule.table):
            with_wildcard.append(rule)
        else:
            by_name.setdefault(normcase(rule.table), []).append(rule)
    for name, columns in tables.items():
        own = [rule for rule in with_wildcard if fnmatch(name, rule.table)]
        own += by_name.get(normcase(name), ())
        included = [rule for rule in own if not rule.excludes]
        excluded = [rule for rule in own if rule.excludes]
        if included and not any(rule.has_table for rule in excluded):
            chosen = _matching(included, columns.optional) - _matching(excluded, columns.optional)
            found[name] = frozenset(chosen)
    return found


def unmatched(rules: Iterable[str], tables: Mapping[str, Columns]) -> list[str]:
    """Find the rules that match no table, or no column of one.

    Args:
        rules: The rules.
        tables: The columns of each table.
    """

    def matches(rule: _Rule) -> bool:
        return any(
            "*" in rule.columns or _matching([rule], columns.optional | columns.automatic)
            for name, columns in tables.items()
            if fnmatch(name, rule.table)
        )

    return [rule for rule in rules if not matches(_parse(rule))]


def extent(name: str, selection: Selection, tables: Mapping[str, Columns]) -> Extent:
    """Say how much of a table is selected.

    Args:
        name: The table.
        selection: What is selected.
        tables: The columns of each table.
    """
    if name not in selection:
        return Extent.NONE
    return Extent.ALL if tables[name].optional <= selection[name] else Extent.SOME


def shortest(
    selection: Selection, tables: Mapping[str, Columns], rules: Iterable[str] = ()
) -> list[str]:
    """Find few rules that mean a selection.

    Rules that exist stay, except those of a table that the selection changes, unless fewer rules
    mean the same.

    Args:
        selection: The columns of each selected table.
        tables: The columns of each table.
        rules: The rules so far.

    Returns:
        The rules, which select exactly these tables and columns of `tables`.
    """
    rules = list(rules)
    before = select(rules, tables)
    if before == selection:
        return rules
    simplest = min(_one_by_one(selection, tables), _all_but(selection, tables), key=len)
    changed = {_in_table(name) for name in tables if before.get(name) != selection.get(name)}
    kept = [rule for rule in rules if _DOT.split(rule.removeprefix("!"))[0] not in changed]
    basis = select(kept, tables)
    for name, columns in tables.items():
        kept += _change(name, basis.get(name), selection.get(name), columns)
    # What a rule excludes for many tables, no other rule can include.
    works = select(kept, tables) == selection
    return kept if works and len(kept) <= len(simplest) else simplest


def _is_selected(metadata: Mapping[str, Any]) -> bool | None:
    chosen: bool | None = metadata.get("selected")
    return metadata.get("selected-by-default") if chosen is None else chosen


def as_pattern(name: str) -> str:
    """Write the name of a column as a pattern that matches nothing else.

    Args:
        name: The name.

    Returns:
        The pattern. It has no dot, because a dot separates a column from a value within it.
    """
    # The range is a dot and two signs that no name has.
    return _escape(name, "[--/]")


def _parse(rule: str) -> _Rule:
    text = rule.removeprefix("!")
    excludes = text != rule
    table, *rest = _DOT.split(text, maxsplit=1)
    column = "".join(rest) or "*"
    steps = column.split(".")
    # A rule for a value within a column selects the column.
    levels = range(len(steps) if excludes else 1, len(steps) + 1)
    patterns = tuple(".properties.".join(steps[:level]) for level in levels)
    return _Rule(table.replace(r"\.", "."), patterns, not excludes or column == "*", excludes)


def _matching(rules: Iterable[_Rule], names: Collection[str]) -> set[str]:
    patterns = {each for rule in rules for each in rule.columns}
    if "*" in patterns:
        return {*names}
    return {name for each in patterns for name in matching(names, each)}


def _change(
    name: str, before: frozenset[str] | None, after: frozenset[str] | None, columns: Columns
) -> list[str]:
    """Return the rules that are to be added for a table."""
    if before == after:
        return []
    if after is None:
        return [f"!{_in_table(name)}.*"]
    ways = [_all_columns_but(name, after, columns), _columns(name, after, columns)]
    if before is not None and after <= before:
        ways.insert(0, _exclusions(name, before - after, columns))
    return min(ways, key=len)


def _one_by_one(selection: Selection, tables: Mapping[str, Columns]) -> list[str]:
    """Return rules that name what is selected."""
    everywhere = _everywhere(selection, tables)
    whole, rest = [], []
    for name, chosen in selection.items():
        own = _exclusions(name, tables[name].optional - chosen - everywhere, tables[name])
        columns = _columns(name, chosen, tables[name]) if own else []
        if own and len(columns) <= len(own):
            rest += columns
        else:
            whole.append(name)
            rest += own
    groups = _patterns(whole, tables, _in_table)
    return [*(f"{group}.*" for group in groups), *rest, *_without(everywhere)]


def _all_but(selection: Selection, tables: Mapping[str, Columns]) -> list[str]:
    """Return rules that name what is not selected."""
    everywhere = _everywhere(selection, tables)
    rest = []
    for name, chosen in selection.items():
        rest += _exclusions(name, tables[name].optional - chosen - everywhere, tables[name])
    groups = _patterns([name for name in tables if name not in selection], tables, _in_table)
    return ["*.*", *(f"!{group}.*" for group in groups), *rest, *_without(everywhere)]


def _everywhere(selection: Selection, tables: Mapping[str, Columns]) -> set[str]:
    """Return the columns that no selected table sends, and several have."""
    counts: dict[str, int] = {}
    for name, chosen in selection.items():
        for column in tables[name].optional - chosen:
            counts[column] = counts.get(column, 0) + 1
    sent = set().union(*selection.values())
    return {column for column, count in counts.items() if count >= LEAST and column not in sent}


def _without(columns: Iterable[str]) -> Iterator[str]:
    return (f"!*.{as_pattern(column)}" for column in sorted(columns))


def _all_columns_but(name: str, chosen: frozenset[str], columns: Columns) -> list[str]:
    return [f"{_in_table(name)}.*", *_exclusions(name, columns.optional - chosen, columns)]


def _columns(name: str, chosen: frozenset[str], columns: Columns) -> list[str]:
    """Return rules that name the columns of a table."""
    table = _in_table(name)
    if chosen:
        named = _patterns(chosen, {*columns.optional, *columns.automatic}, as_pattern)
        return [f"{table}.{column}" for column in named]
    if columns.automatic:
        return [f"{table}.{as_pattern(min(columns.automatic))}"]
    # This excludes all columns, and not the table.
    return [f"{table}.*", f"!{table}.?*"]


def _exclusions(name: str, left: Collection[str], columns: Columns) -> list[str]:
    everything = {*columns.optional, *columns.automatic}
    named = _patterns(left, everything, as_pattern, columns.automatic)
    return [f"!{_in_table(name)}.{column}" for column in named]


def _patterns(
    wanted: Collection[str],
    everything: Collection[str],
    escape: Callable[[str], str],
    harmless: Collection[str] = frozenset(),
) -> list[str]:
    """Return few patterns that match the wanted names, and no others but the harmless ones."""
    found, left, allowed = [], sorted(wanted), {*wanted, *harmless}
    while left:
        name, *left = left
        pattern = escape(name)
        for end in _BOUNDARY.finditer(name):
            prefix = name[: end.start()]
            same = [each for each in everything if each.startswith(prefix)]
            if allowed.issuperset(same) and len({*same} - {*harmless}) >= LEAST:
                pattern = f"{escape(prefix)}*"
                left = [each for each in left if each not in same]
                break
        found.append(pattern)
    return found


def _escape(name: str, dot: str) -> str:
    r"""Write a name as a pattern.

    A `!` at its beginning would exclude, and one at the beginning of a set negates the set. A `\`
    would escape a dot.
    """
    if name.isidentifier():
        return name
    special = {"*": "[*]", "?": "[?]", "[": "[[]", "\\": "[\\]", ".": dot}
    written = "".join(special.get(letter, letter) for letter in name)
    return f"[#!]{written[1:]}" if written.startswith("!") else written


def _in_table(name: str) -> str:
    return _escape(name, r"\.")
