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

    def leads_somewhere(self, link: str) -> bool:
        """Tell whether there is what a link leads to."""
        path, _, anchor = link.partition("#")
        text = (self.path.parent / path).read_text() if path else self.text
        return anchor in map(slug, re.findall(r"^#+ (.*)$", text, re.MULTILINE))
