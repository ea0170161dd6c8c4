"""Documents of this repository, taken apart so that tests can hold them against the code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def slug(heading: str) -> str:
    """The anchor of a heading on GitHub."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@dataclass(frozen=True)
class Document:
    """A document in Markdown.

    Args:
        path: Where it is.
    """

    path: Path

    @cached_property
    def text(self) -> str:
        """All of it."""
        return self.path.read_text()

    @cached_property
    def sections(self) -> dict[str, str]:
        """Its sections of the second level by their titles."""
        parts = re.split(r"^## ", self.text, flags=re.MULTILINE)
        return {part.partition("\n")[0]: part for part in parts}

    @cached_property
    def code(self) -> list[str]:
        """The code within its sentences."""
        return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", self.text)

    @cached_property
    def settings(self) -> set[str]:
        """What may be a setting's name in its sentences."""
        return {name for name in self.code if re.fullmatch(r"[a-z]+(_[a-z]+)+", name)}

    @cached_property
    def links(self) -> list[str]:
        """Its links within the repository, each once."""
        return sorted(set(re.findall(r"\]\((?!https?:)([^)]+)\)", self.text)))

    def blocks(self, section: str, kind: str) -> list[str]:
        """The blocks of code of a section that are of one kind."""
        return re.findall(
            rf"^```{kind}\n(.*?)^```$", self.sections[section], re.MULTILINE | re.DOTALL
        )

    def section(self, anchor: str) -> str:
        """The section that an anchor leads to, with the sections below it.

        Args:
            anchor: The anchor; the empty string stands for the whole document.

        Returns:
            Its text; the empty string if there is no such section.
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
        """The text that a link within the repository leads to.

        Args:
            link: A path with an anchor, or one of the two.

        Returns:
            The section or the document; the empty string if it does not exist.
        """
        path, _, anchor = link.partition("#")
        document = Document(self.path.parent / path) if path else self
        return document.section(anchor) if document.path.is_file() else ""

    def leads_somewhere(self, link: str) -> bool:
        """Tell whether the target of a link exists."""
        return bool(self.target(link))
