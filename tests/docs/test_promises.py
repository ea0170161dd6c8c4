"""Each promise in the documents names a test that exists.

A promise is a row of a table, or a bullet, that says what the tap does. Its test is named as pytest
names it, `test_file.py::test_function`, by its path within `tests/`: in the column "Test" of a
table, anywhere in a bullet, or for a whole table or list in the sentence right before it, which
then ends in `):`. A bullet of the README links to the sections that name the tests.
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

from tests.documents import Document
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = REPOSITORY / "tests"
README = "README.md"
DOCUMENTS = [
    README,
    "SECURITY.md",
    *sorted(path.relative_to(REPOSITORY).as_posix() for path in (REPOSITORY / "docs").glob("*.md")),
]
# These describe the code and promise nothing of their own.
DESCRIPTIONS = {"docs/architecture.md", "docs/driver-properties.md", "docs/hub.md"}
PROMISING = [document for document in DOCUMENTS if document not in DESCRIPTIONS]
# In a file with more tests than this, the name of the file alone does not help.
FEW = 10
# Tables that promise nothing, by the first cells of their headers: settings, which other tests
# compare with the code; lists of pages; advice; measurements.
NO_PROMISES = {
    ("Group", "Settings"),
    ("Page", "Content"),
    ("Setting", "Driver's property"),
    ("Setting", "Type"),
    ("Option", "Meaning"),
    ("You see", "Change"),
    ("Case", "This tap, 8 parallel requests"),
    ("Limit", "How you see it"),
    ("Service", "Limits"),
    ("Finance & Operations", "Rows lost"),
    ("Large catalogs", "Time"),
    ("You have", "Way"),
    ("What you see", "What to do"),
    ("Runtime", "Works as"),
    ("Cloud", "Host of `service_url`"),
    ("", "Bytes per row"),
    ("", "Rows per second"),
    ("", ""),
}
# Lists that promise nothing, by document and heading.
NO_PROMISING_LISTS = {
    (README, "Limitations"),
    ("docs/scale.md", "When not to use the tap"),
}

NAMED = re.compile(r"`((?:\w+/)*test_\w+\.py)(?:::(\w+))?`")
# Anything that looks like the name of a test, so that a misspelt one is found.
LIKE_A_TEST = re.compile(r"`([^`\s]*\btest_[^`]*)`")
# A link within the repository.
LINKED = re.compile(r"\]\((?!https?:)([^)]+)\)")


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
    """The names of the tests in a file; empty if the file does not exist."""
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
    """The errors in the names of tests in a text."""
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
    """The cells of a row of a table."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """The blocks between blank lines, each with the heading above it."""
    heading = ""
    text = re.sub(r"^ *```.*?^ *```$", "(code)", text, flags=re.MULTILINE | re.DOTALL)
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        if found := re.match(r"#+ (.*)", block):
            heading = found[1]
        yield heading, block


def parts(document: str, text: str) -> Iterator[Part]:
    """Find the promises of a document that must name a test.

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


def is_shown(document: str, part: Part) -> bool:
    """Tell whether a promise names a test, or in the README links only to sections that do."""
    if NAMED.search(part.text) or document != README:
        return bool(NAMED.search(part.text))
    readme = Document(REPOSITORY / README)
    links = LINKED.findall(part.text)
    return bool(links) and all(NAMED.search(readme.target(link)) for link in links)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_tests_named_in_a_document_exist(document: str) -> None:
    text = read(document)
    assert NAMED.search(text) or document == README or document in DESCRIPTIONS
    assert not faults(text)


@pytest.mark.parametrize("document", PROMISING)
def test_promises_of_a_document_name_tests(document: str) -> None:
    found = list(parts(document, read(document)))
    assert found
    assert not [part.place for part in found if not is_shown(document, part)]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[Upsert](docs/targets.md#upsert)", True),
        ("[Upsert](docs/targets.md#upsert), [proxy](docs/settings.md#proxy)", False),
        ("[Upsert](docs/targets.md#invented)", False),
        ("Upsert", False),
    ],
    ids=["section-with-tests", "section-without", "no-section", "no-link"],
)
def test_promise_of_the_readme_links_to_sections_that_name_tests(text: str, shown: bool) -> None:  # noqa: FBT001 - a case
    assert is_shown(README, Part("", text)) is shown
    assert not is_shown("docs/usage.md", Part("", text))


BULLETS = "Some words:\n\n- One.\n- Two\n  more (`docs/test_readme.py`).\n"
TABLE = (
    "| What | Does | Test |\n|---|---|---|\n| One | a | |\n| Two | b | `docs/test_readme.py` |\n"
)
UNTESTED = "| What | Does |\n|---|---|\n| Two (`docs/test_readme.py`) | b |\n"


@pytest.mark.parametrize(
    ("text", "without"),
    [
        (BULLETS, ["One."]),
        (TABLE, ["One"]),
        (UNTESTED, ["Two (`docs/test_readme.py`)"]),
        (f"Both are shown (`docs/test_readme.py`):\n\n{UNTESTED}", []),
        ("So is shown (`docs/test_readme.py`):\n- One.\n- Two.\n", []),
        ("So is shown (`docs/test_readme.py`).\n\n- One.\n", ["One."]),
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
        (
            "`docs/test_readme.py::test_invented`",
            "there is no test_invented in docs/test_readme.py",
        ),
        ("`test_invented`", "not written as tests are named here"),
        ("`tests/test_readme`", "not written as tests are named here"),
        ("`http/test_retry.py`", "name the one that is meant"),
    ],
)
def test_name_of_a_missing_test_is_found(text: str, words: str) -> None:
    (fault,) = faults(text)
    assert words in fault


def test_settings_of_a_target_in_the_documentation_are_those_of_meltano_yml() -> None:
    section = Document(REPOSITORY / "docs" / "targets.md").sections["target-postgres"]
    advised = {
        name: yaml.safe_load(value)
        for name, value in re.findall(r"^- \*\*`([a-z_]+): (\w+)`", section, re.MULTILINE)
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
