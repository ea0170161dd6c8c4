"""Descriptions of enumerations: the name is found in what was written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_dynamics365.odata import enumeration
from tap_dynamics365.odata.edm import Enumeration

NAMES = st.from_regex(r"[^\W\d]\w{0,8}", fullmatch=True)
# Decoded names of members hold any character.
MEMBERS = st.one_of(NAMES, st.text(st.one_of(st.sampled_from('".,: \\\n'), st.characters())))
QUALIFIED = st.lists(NAMES, min_size=2, max_size=4).map(".".join)


@given(st.none() | st.text(), QUALIFIED, st.lists(MEMBERS, max_size=6))
def test_name_of_any_enumeration_is_found_after_any_description(
    description: str | None, name: str, members: list[str]
) -> None:
    sentence = enumeration.sentence(Enumeration(name, tuple(members)))
    text = sentence if description is None else f"{description} {sentence}"
    assert enumeration.name(text) == name


@given(st.none() | st.text())
@pytest.mark.parametrize("ending", ["", "Enumeration of things.", "Enumeration A.B. More."])
def test_other_description_has_no_name(ending: str, description: str | None) -> None:
    assert not enumeration.name(description if not ending else f"{description} {ending}")


def test_members_of_more_than_one_word_are_in_quotation_marks() -> None:
    members = ("Item", " ", "", "Größe", "Negative Adjmt.", 'a "b"', "c\\")
    sentence = enumeration.sentence(Enumeration("N.kind", members))
    assert sentence == (
        'Enumeration N.kind: Item, " ", "", Größe, "Negative Adjmt.", "a \\"b\\"", "c\\\\".'
    )
