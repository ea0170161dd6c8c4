"""Markdown documents of this repository, parsed so that tests can compare them with the code."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from tests.tap import Tap

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.client import Sandbox

# What differs between the invented environment of a page and the sandbox.
OWN = ("service_url", "token_uri", "client_id", "client_secret")


def slug(heading: str) -> str:
    """Return the anchor of a heading on GitHub."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def configured(config: str, sandbox: Sandbox) -> Tap:
    """Return the tap with the configuration of a page, for the sandbox."""
    own = {name: sandbox.settings[name] for name in OWN}
    # Each tap has a folder of its own, which is not there in a later run.
    return Tap({**json.loads(config), **own}).but(schema_map=None)


def printed(text: str, beginning: str) -> list[str]:
    """Return the lines of output in a text, from the one that begins in this way."""
    (block,) = re.findall(rf"(?:^|\n\n)(    {re.escape(beginning)}.*(?:\n    .*)*)", text)
    return [line.strip() for line in block.splitlines()]


def without_numbers(line: str) -> str:
    """Return a line of output without what differs from run to run."""
    return re.sub(r"\d[\d,.]*", "#", line)


@dataclass(frozen=True)
class Document:
    """A document in Markdown.

    Args:
        path: The path of the file.
    """

    path: Path

    @cached_property
    def text(self) -> str:
        """The text of the document."""
        return self.path.read_text()

    @cached_property
    def sections(self) -> dict[str, str]:
        """The sections of the second level, by title."""
        parts = re.split(r"^## ", self.text, flags=re.MULTILINE)
        return {part.partition("\n")[0]: part for part in parts}

    @cached_property
    def code(self) -> list[str]:
        """The inline code."""
        return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", self.text)

    @cached_property
    def settings(self) -> set[str]:
        """The inline code that may be the name of a setting."""
        return {name for name in self.code if re.fullmatch(r"[a-z]+(_[a-z]+)+", name)}

    @cached_property
    def links(self) -> list[str]:
        """The links within the repository, each once."""
        return sorted(set(re.findall(r"\]\((?!https?:)([^)]+)\)", self.text)))

    def blocks(self, section: str, kind: str) -> list[str]:
        """Return the code blocks of one language in a section."""
        return re.findall(
            rf"^```{kind}\n(.*?)^```$", self.sections[section], re.MULTILINE | re.DOTALL
        )

    def commands(self, anchor: str, kind: str = "sh") -> list[str]:
        """Return the blocks of commands in a section, with its subsections.

        Args:
            anchor: The anchor; an empty string means the whole document.
            kind: The language of the blocks.
        """
        return re.findall(
            rf"^```{kind}\n(.*?)^```$", self.section(anchor), re.MULTILINE | re.DOTALL
        )

    def section(self, anchor: str) -> str:
        """Return the section of an anchor, with its subsections.

        Args:
            anchor: The anchor; an empty string means the whole document.

        Returns:
            The text of the section; empty if there is no such section.
        """
        if not anchor:
            return self.text
        headings = list(re.finditer(r"^(#+) (.*)$", self.text, re.MULTILINE))
        for number, heading in enumerate(headings):
            if slug(heading[2]) == anchor:
                after = (
                    other.start()
                    for other in headings[number + 1 :]
                    if len(other[1]) <= len(heading[1])
                )
                return self.text[heading.start() : next(after, len(self.text))]
        return ""

    def target(self, link: str) -> str:
        """Return the text of the target of a link within the repository.

        Args:
            link: A path with an anchor, or one of the two.

        Returns:
            The text of the section or document; empty if it does not exist.
        """
        path, _, anchor = link.partition("#")
        document = Document(self.path.parent / path) if path else self
        return document.section(anchor) if document.path.is_file() else ""

    def leads_somewhere(self, link: str) -> bool:
        """Return whether the target of a link exists."""
        return bool(self.target(link))
