"""Select rules, with Meltano's own code as the judge of what a rule selects."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tap_dynamics365.singer.select_rules import (
    DEFAULT,
    Columns,
    Extent,
    extent,
    select,
    selectable,
    selected,
    shortest,
    unmatched,
)
from tests.tap import Tap
from tools.meltano import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sandbox.client import Sandbox
    from tap_dynamics365.singer.select_rules import Selection
    from tests.tap import Message

# Names with the signs that mean something in a pattern, and with those of the services.
NAMES = st.text("ab.*?[]!\\ _^|", min_size=1, max_size=4) | st.sampled_from(
    ["account", "address1_city", "address1_line1", "address1_line2", "addressCity", "new_a"]
)
SPLIT = st.tuples(st.frozensets(NAMES, max_size=6), st.frozensets(NAMES, max_size=2))
TABLES = st.dictionaries(
    NAMES, SPLIT.map(lambda split: Columns(split[0] - split[1], split[1])), max_size=5
)
PARTS = NAMES | st.sampled_from(["*", "a*", "?", "[ab]*", "address1_*", "*.*", "", "account.x"])
RULES = st.lists(
    st.builds("{}{}{}".format, st.sampled_from(["", "", "!"]), PARTS, PARTS.map(".{}".format))
    | PARTS
    | PARTS.map("!{}".format),
    max_size=6,
)
quick = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def catalog_of(tables: Mapping[str, Columns]) -> Message:
    """Make a catalog of tables that selects nothing."""
    return {
        "streams": [
            {
                "tap_stream_id": name,
                "schema": {"properties": {}},
                "metadata": [
                    {"breadcrumb": [], "metadata": {"inclusion": "available"}},
                    *(
                        {
                            "breadcrumb": ["properties", column],
                            "metadata": {"inclusion": inclusion},
                        }
                        for inclusion, columns in (
                            ("available", own.optional),
                            ("automatic", own.automatic),
                        )
                        for column in sorted(columns)
                    ),
                ],
            }
            for name, own in tables.items()
        ]
    }


@pytest.fixture(scope="module")
def judge(needs_meltano: None) -> Iterator[Callable[..., Selection]]:  # noqa: ARG001
    """A function that asks Meltano what rules select."""
    with subprocess.Popen(  # noqa: S603 - a program of this project's environments
        [ENVIRONMENT / "bin" / "python", Path(__file__).with_name("select_judge.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:

        def ask(tables: Mapping[str, Columns], rules: list[str]) -> Selection:
            assert process.stdin
            assert process.stdout
            print(json.dumps({"catalog": catalog_of(tables), "rules": rules}), file=process.stdin)
            process.stdin.flush()
            found: dict[str, list[str]] = json.loads(process.stdout.readline())
            return {name: frozenset(columns) for name, columns in found.items()}

        yield ask
        assert process.stdin
        process.stdin.close()


@st.composite
def selections(draw: st.DrawFn) -> tuple[dict[str, Columns], Selection]:
    """Draw tables, and which of their columns are selected."""
    tables = draw(TABLES)
    chosen = draw(st.sets(st.sampled_from(sorted(tables)))) if tables else set()
    return tables, {
        name: frozenset(draw(st.sets(st.sampled_from(sorted(tables[name].optional)))))
        if tables[name].optional
        else frozenset()
        for name in sorted(chosen)
    }


@quick
@given(TABLES, RULES)
def test_rules_select_what_they_select_in_meltano(
    judge: Callable[..., Selection], tables: dict[str, Columns], rules: list[str]
) -> None:
    found = select(rules, tables)
    assert found == judge(tables, rules)
    assert select(rules[::-1], tables) == found


@pytest.mark.parametrize(
    "rules",
    [["account.name.first"], ["account.*", "!account.name.first"], ["account"], ["account."]],
)
def test_rules_without_column_or_within_one_select_what_they_select_in_meltano(
    judge: Callable[..., Selection], rules: list[str]
) -> None:
    assert select(rules, SOME) == judge(SOME, rules) != {}


@quick
@given(selections(), RULES)
def test_shortest_rules_select_in_meltano_what_was_chosen(
    judge: Callable[..., Selection],
    drawn: tuple[dict[str, Columns], Selection],
    rules: list[str],
) -> None:
    tables, chosen = drawn
    fresh, changed = shortest(chosen, tables), shortest(chosen, tables, rules)
    assert judge(tables, fresh) == chosen
    assert judge(tables, changed) == chosen
    assert shortest(chosen, tables, changed) == changed


@quick
@given(TABLES, RULES)
def test_rules_found_again_from_their_selection_select_the_same(
    tables: dict[str, Columns], rules: list[str]
) -> None:
    found = select(rules, tables)
    again = shortest(found, tables)
    assert select(again, tables) == found
    assert shortest(found, tables, rules) == rules


ACCOUNT = Columns(
    frozenset(
        {"name", "fax", "revenue", "website", "address1_city", "address1_line1", "address1_zip"}
    ),
    frozenset({"accountid", "modifiedon"}),
)
CONTACT = Columns(frozenset({"name", "fax", "address1_city"}), frozenset({"contactid"}))
TEAM = Columns(frozenset({"name", "fax"}), frozenset({"teamid"}))
SOME = {"account": ACCOUNT, "contact": CONTACT, "team": TEAM}


@pytest.mark.parametrize(
    ("chosen", "rules"),
    [
        ({}, []),
        ({"account": ACCOUNT.optional}, ["account.*"]),
        ({"account": ACCOUNT.optional - {"fax"}}, ["account.*", "!account.fax"]),
        ({"account": {"fax", "name"}}, ["account.fax", "account.name"]),
        ({"account": {"fax", "name", "revenue", "website"}}, ["account.*", "!account.address*"]),
        ({"account": frozenset()}, ["account.accountid"]),
        ({name: columns.optional for name, columns in SOME.items()}, ["*.*"]),
        ({name: columns.optional - {"fax"} for name, columns in SOME.items()}, ["*.*", "!*.fax"]),
    ],
)
def test_shortest_rules_are_few_and_readable(
    chosen: dict[str, frozenset[str]], rules: list[str]
) -> None:
    selection = {name: frozenset(columns) for name, columns in chosen.items()}
    assert shortest(selection, SOME) == rules


def test_tables_of_one_publisher_have_one_rule() -> None:
    tables = {f"new_{n}": TEAM for n in range(4)} | {"account": ACCOUNT, "team": TEAM}
    chosen = {f"new_{n}": TEAM.optional for n in range(4)}
    assert shortest(chosen, tables) == ["new_*.*"]
    assert shortest({**chosen, "account": ACCOUNT.optional}, tables, ["new_*.*"]) == [
        "new_*.*",
        "account.*",
    ]


def test_change_of_one_table_keeps_the_rules_of_the_others() -> None:
    typed = ["account.*", "!account.addr*", "team.*", "!*.web*"]
    before = select(typed, SOME)
    assert shortest({**before, "team": frozenset({"name"})}, SOME, typed) == [
        "account.*",
        "!account.addr*",
        "!*.web*",
        "team.name",
    ]


def test_change_that_an_exclusion_prevents_replaces_the_rules() -> None:
    typed = ["*.*", "!*.fax", "!team.name"]
    chosen = {**select(typed, SOME), "team": TEAM.optional}
    assert shortest(chosen, SOME, typed) == ["*.*", "!account.fax", "!contact.fax"]


def test_rules_that_match_nothing_are_found() -> None:
    rules = ["account", "!account.fax", "team.teamid", "acount.*", "!account.fx", "team.x*", "x"]
    assert unmatched(rules, SOME) == ["acount.*", "!account.fx", "team.x*", "x"]


def test_extent_of_a_table_has_three_states() -> None:
    selection = select(["account.*", "contact.name"], SOME)
    assert [extent(name, selection, SOME) for name in SOME] == [*Extent]


def test_catalog_of_the_tap_says_what_is_selected(sandbox: Sandbox) -> None:
    catalog = Tap(sandbox.settings).discover()
    tables = selectable(catalog)
    assert "accountid" in tables["account"].automatic
    assert "name" in tables["account"].optional
    found = selected(catalog)
    assert found == {name: columns.optional for name, columns in tables.items() if name in found}
    assert {*tables} - {*found} == {
        stream["tap_stream_id"]
        for stream in catalog["streams"]
        if not stream["metadata"][-1]["metadata"]["selected-by-default"]
    }
    assert select(DEFAULT, tables).keys() == tables.keys()
