"""The setting `filters`: what is refused, and which table has which filter."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.faults.errors import ServiceError
from sandbox.query.filters import Both, Comparison, Literal, Path, parse
from tap_dynamics365.odata.query import build
from tap_dynamics365.settings import filters
from tap_dynamics365.settings.environment import PREFIX
from tests.settings.configs import ACCESS_TOKEN, OFFLINE, read, refusal
from tests.tap import Tap

OWN = Comparison("ge", Path("on"), Literal("number", "1"))
# What matters to an expression between parentheses, and little else.
EXPRESSIONS = st.one_of(
    st.text("'()\"ab =\n", max_size=12),
    st.lists(
        st.sampled_from(["(", ")", "'", "''", "a", " eq ", "1", " or ", " and ", "not ", "b eq 2"]),
        max_size=10,
    ).map("".join),
)


@pytest.mark.parametrize("value", [["x"], "account", 5, True])
def test_filters_that_are_no_object_are_refused(value: object) -> None:
    assert refusal(**ACCESS_TOKEN, filters=value) == "Setting filters must be of type object."


@pytest.mark.parametrize("value", [None, 5, ["x"], {"eq": 1}])
def test_filter_that_is_no_string_is_refused_with_its_name(value: object) -> None:
    message = refusal(**ACCESS_TOKEN, filters={"account": value})
    assert message == "Setting filters.account must be of type string."


@pytest.mark.parametrize(
    ("expression", "flaw"),
    [
        ("", "is empty: "),
        (" \n", "is empty: "),
        ("name eq 'O'Brien'", "has a text without its closing quotation mark: "),
        ("name eq '", "has a text without its closing quotation mark: "),
        ("a eq 1) or (b eq 2", "closes a parenthesis that it does not open."),
        (")(", "closes a parenthesis that it does not open."),
        ("(a eq 1", "opens a parenthesis that it does not close."),
        ("contains(name,'a)'", "opens a parenthesis that it does not close."),
    ],
)
def test_filter_that_would_change_the_conditions_around_it_is_refused(
    expression: str, flaw: str
) -> None:
    message = refusal(**ACCESS_TOKEN, filters={"account": expression})
    assert message.startswith(f"The expression for 'account' in the setting filters {flaw}")


@pytest.mark.parametrize(
    "expression",
    [
        "name eq 'O''Brien'",
        "name eq ''",
        "name eq ')' or name eq '('",
        "(a eq 1) or ((b eq 2) and not (c eq 3))",
        "Microsoft.Dynamics.CRM.In(PropertyName='a',PropertyValues=['(','b'])",
        "Blocked eq Microsoft.Dynamics.DataEntities.NoYes'Yes'",
    ],
)
def test_filter_with_texts_and_parentheses_is_accepted(expression: str) -> None:
    assert read(**ACCESS_TOKEN, filters={"account": expression}).filters["account"] == expression


@given(EXPRESSIONS)
def test_filter_that_is_accepted_is_one_condition_among_others(expression: str) -> None:
    """Whatever it says, the service still applies the conditions of the tap to every row."""
    if filters.flaw(expression):
        return
    query = build([], bounded="on", start=1, row_filter=filters.tidy(expression))
    (text,) = parse_qs(query)["$filter"]
    try:
        found = parse(text)
    except ServiceError:
        # The service refuses it, and no row is read.
        return
    assert found == Both("and", OWN, parse(filters.tidy(expression)))


@given(EXPRESSIONS)
def test_filter_that_the_service_understands_alone_is_accepted(expression: str) -> None:
    try:
        understood = parse(expression)
    except ServiceError:
        return
    assert filters.flaw(expression) is None
    assert parse(filters.tidy(expression)) == understood


@given(st.text(), st.text(max_size=5))
def test_text_in_a_filter_reaches_the_service_unchanged(text: str, space: str) -> None:
    space = re.sub(r"\S", "", space)
    quoted = text.replace("'", "''")
    expression = filters.tidy(f"{space} name  eq{space}\n'{quoted}' \n")
    assert expression == f"name eq '{quoted}'"
    assert filters.flaw(expression) is None
    (sent,) = parse_qs(build([], row_filter=expression), errors="strict")["$filter"]
    assert sent == f"(name eq '{quoted}')"


def test_filter_of_a_name_wins_over_those_of_patterns() -> None:
    given = {"*": "a eq 1", "Account": "b eq 2", "acc*": "c eq 3"}
    assert filters.find(given, "account") == "b eq 2"


@pytest.mark.parametrize("keys", [["new_*", "*ORDER", "x*"], ["x*", "*ORDER", "new_*"]])
def test_filters_of_all_patterns_apply_in_any_order_of_the_setting(keys: list[str]) -> None:
    texts = {"new_*": "a eq 1 or b eq 2", "*ORDER": "c eq 3", "x*": "d eq 4"}
    given = {key: texts[key] for key in keys}
    assert filters.find(given, "New_order") == "(c eq 3) and (a eq 1 or b eq 2)"
    assert filters.find(given, "new_row") == "a eq 1 or b eq 2"
    assert filters.find(given, "account") == ""


def test_names_that_differ_in_letter_case_only_are_refused() -> None:
    message = refusal(**ACCESS_TOKEN, filters={"account": "a eq 1", "ACCOUNT": "a eq 2"})
    assert message == ("Setting filters has 'account' more than once: names are case-insensitive.")


def test_variable_without_valid_filters_is_refused() -> None:
    given = {f"{PREFIX}{name.upper()}": text for name, text in OFFLINE.items()}
    for text, sentence in (
        ("account eq 1", f"The variable {PREFIX}FILTERS must be a JSON object."),
        (json.dumps({"account": "a eq ("}), "opens a parenthesis that it does not close."),
    ):
        run = Tap({}, {**given, f"{PREFIX}FILTERS": text}).run("--config=ENV", "--discover")
        assert sentence in run.refusal()
