"""Each promise in the documents names a test that is there.

A promise is a row of a table, or a bullet, that says what the tap does. Its test is named as pytest
names it, `test_pages.py::test_function`, by its path within `tests/`: in the column "Test" of a
table, anywhere in a bullet, or for all of a table or list in the sentence right before, which then
ends in `):`.
"""

from __future__ import annotations

import ast
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import pytest
import yaml

from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = REPOSITORY / "tests"
DOCUMENTS = [
    "README.md",
    "SECURITY.md",
    "docs/reliability.md",
    "docs/replication.md",
    "docs/authentication.md",
    "docs/labels-and-metadata.md",
    "docs/settings.md",
]
# In a file of more tests than this, it does not help to name the file alone.
FEW = 10
# Tables that promise nothing, by the first cells of their headers: what each setting means, which
# tests of the documents hold against the code; a choice of ways; advice; what was measured.
NO_PROMISES = {
    ("Setting", "Driver's property"),
    ("Setting", "Type"),
    ("You have", "Way"),
    ("What you see", "What to do"),
    ("Cloud", "Host of `service_url`"),
    ("", "Bytes a row"),
    ("", ""),
}
# The same of lists, by document and heading.
NO_PROMISING_LISTS = {("README.md", "What it does not do yet")}

NAMED = re.compile(r"`((?:\w+/)*test_\w+\.py)(?:::(\w+))?`")
# Whatever looks like the name of a test, so that none is passed over for its form.
LIKE_A_TEST = re.compile(r"`([^`\s]*\btest_[^`]*)`")


@dataclass(frozen=True)
class Part:
    """A row of a table, or a bullet.

    Attributes:
        place: Where it is: document, heading, and the beginning of its text.
        text: Where it has to name a test.
    """

    place: str
    text: str


@cache
def functions(file: str) -> frozenset[str]:
    """Name the tests in a file; none where there is no such file."""
    path = TESTS / file
    if not path.is_file():
        return frozenset()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def faults(text: str) -> list[str]:
    """Tell what is wrong with the names of tests in a text."""
    found = [
        f"{name} is not written as tests are named here"
        for name in LIKE_A_TEST.findall(text)
        if not NAMED.fullmatch(f"`{name}`")
    ]
    for file, function in NAMED.findall(text):
        if not functions(file):
            found.append(f"there is no {file}")
        elif function and function not in functions(file):
            found.append(f"there is no {function} in {file}")
        elif not function and len(functions(file)) > FEW:
            found.append(f"{file} has many tests: name the one that is meant")
    return found


def cells(line: str) -> list[str]:
    """Take a row of a table apart."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """Give what stands between blank lines, each with the heading that it is under."""
    heading = ""
    text = re.sub(r"^ *```.*?^ *```$", "(code)", text, flags=re.MULTILINE | re.DOTALL)
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        if found := re.match(r"#+ (.*)", block):
            heading = found[1]
        yield heading, block


def parts(document: str, text: str) -> Iterator[Part]:
    """Find the promises of a document that have to name a test of their own.

    Args:
        document: Its name.
        text: Its text.

    Yields:
        Each row and bullet. One of a table without a column "Test" has no text to name it in.
    """
    before = ""
    for heading, block in blocks(text):
        named_before = before.rstrip().endswith("):") and NAMED.search(before)
        before = block
        if named_before:
            continue
        lines = block.splitlines()
        if lines[0].startswith("|"):
            header = cells(lines[0])
            if header[-1] != "Test" and (header[0], header[1]) in NO_PROMISES:
                continue
            for line in lines[2:]:
                last = cells(line)[-1] if header[-1] == "Test" else ""
                yield Part(f"{document}, {heading}: {cells(line)[0]}", last)
        elif (document, heading) not in NO_PROMISING_LISTS:
            # A list may follow its sentence without a blank line.
            first, *bullets = re.split(r"^- ", block, flags=re.MULTILINE)
            if first.rstrip().endswith("):") and NAMED.search(first):
                continue
            for bullet in bullets:
                yield Part(f"{document}, {heading}: {bullet.splitlines()[0]}", bullet)


def read(document: str) -> str:
    """Read a document."""
    return (REPOSITORY / document).read_text(encoding="utf-8")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_tests_that_a_document_names_are_there(document: str) -> None:
    text = read(document)
    assert NAMED.search(text)
    assert not faults(text)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_promise_of_a_document_names_a_test(document: str) -> None:
    found = list(parts(document, read(document)))
    assert found
    assert not [part.place for part in found if not NAMED.search(part.text)]


BULLETS = "Some words:\n\n- One.\n- Two\n  more (`test_readme.py`).\n"
TABLE = "| What | Does | Test |\n|---|---|---|\n| One | a | |\n| Two | b | `test_readme.py` |\n"
UNTESTED = "| What | Does |\n|---|---|\n| Two (`test_readme.py`) | b |\n"


@pytest.mark.parametrize(
    ("text", "without"),
    [
        (BULLETS, ["One."]),
        (TABLE, ["One"]),
        (UNTESTED, ["Two (`test_readme.py`)"]),
        (f"Both are shown (`test_readme.py`):\n\n{UNTESTED}", []),
        ("So is shown (`test_readme.py`):\n- One.\n- Two.\n", []),
        ("So is shown (`test_readme.py`).\n\n- One.\n", ["One."]),
        ("| Cloud | Host of `service_url` |\n|---|---|\n| public | x |\n", []),
        ("```\n- no bullet\n```\n", []),
    ],
    ids=["bullets", "table", "no-column", "before-table", "before-list", "prose", "none", "code"],
)
def test_promise_without_a_test_is_found(text: str, without: list[str]) -> None:
    found = [part for part in parts("x.md", f"# Title\n\n{text}") if not NAMED.search(part.text)]
    assert [part.place for part in found] == [f"x.md, Title: {name}" for name in without]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("`test_invented.py`", "there is no test_invented.py"),
        ("`auth/test_readme.py`", "there is no auth/test_readme.py"),
        ("`test_readme.py::test_invented`", "there is no test_invented in test_readme.py"),
        ("`test_invented`", "not written as tests are named here"),
        ("`tests/test_readme`", "not written as tests are named here"),
        ("`test_retrying.py`", "name the one that is meant"),
    ],
)
def test_name_of_no_test_is_found(text: str, words: str) -> None:
    (fault,) = faults(text)
    assert words in fault


def test_settings_of_a_target_that_the_readme_advises_are_those_of_meltano_yml() -> None:
    section = read("README.md").partition("\n## Targets\n")[2].partition("\n## ")[0]
    advised = {
        name: yaml.safe_load(value) for name, value in re.findall(r"`([a-z_]+): (\w+)`", section)
    }
    definition = yaml.safe_load((REPOSITORY / "meltano.yml").read_text(encoding="utf-8"))
    loaders = definition["plugins"]["loaders"]
    (target,) = [plugin for plugin in loaders if plugin["name"] == "target-postgres"]
    config = target.get("config", {})
    values = {setting["name"]: setting.get("value") for setting in target["settings"]} | config
    assert len(advised) == 4
    assert advised == {name: values[name] for name in advised}


def test_rules_on_security_are_checked_by_make_test() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    rules = project["tool"]["ruff"]["lint"]
    assert rules["select"] == ["ALL"]
    # What is left out anywhere in the tap itself is no rule on security.
    ignored = [*rules["ignore"]]
    for pattern, codes in rules["per-file-ignores"].items():
        if not pattern.startswith(("demo/", "benchmarks/", "soak/", "tests/", "sandbox/")):
            ignored += codes
    assert not [code for code in ignored if re.match(r"S\d*$", code)]
    recipe = re.search(
        r"^test:.*\n((?:\t.*\n)+)", (REPOSITORY / "Makefile").read_text(), re.MULTILINE
    )
    assert recipe
    assert "ruff check" in recipe[1]
