"""Pictures of the page for docs/configure.md, and the text that each of them shows."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from tests.configure.looks import WIDE
from tests.configure.png import with_palette
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

DOCS = REPOSITORY / "docs"
FOLDER = DOCS / "images"
# What the pictures show, so that a test sees when they are out of date.
TEXTS = FOLDER / "configure.txt"
PREFIX = "configure-"
#: Set by `make screenshots`, which replaces the pictures.
IS_REPLACING = "REPLACE_SCREENSHOTS" in os.environ
# Rows are invented by a package, whose next version may invent others.
TEXT = """() => {
  const cells = [...document.querySelectorAll(".preview tbody td")];
  const before = cells.map(cell => cell.textContent);
  for (const cell of cells) cell.textContent = "…";
  const text = document.body.innerText;
  cells.forEach((cell, place) => { cell.textContent = before[place]; });
  return text;
}"""
TO_TOP = """() => {
  scrollTo(0, 0);
  for (const each of document.querySelectorAll(".scroll, .detail")) each.scrollTop = 0;
}"""
# What differs from run to run: ports, times, sizes and shares.
NUMBER = r"(?<![\w.-])\d[\d,.]*\b"
REPLACED = (
    (rf"(less than )?{NUMBER}%", "#%"),
    (rf"{NUMBER} (ms|s|min)\b", "# s"),
    (rf"{NUMBER} [kMG]?B\b", "# B"),
    (NUMBER, "#"),
    (r"(…\s+)+", "…\n"),
    (r"\s*\n\s*", "\n"),
)


class Look(NamedTuple):
    """How a picture is taken.

    Args:
        height: The height of the screen, in pixels.
        is_dark: Whether its colours are dark.
    """

    height: int
    is_dark: bool = False


LOOKS = {
    "connect": Look(1290),
    "tables": Look(860),
    "plan": Look(980),
    "query": Look(760, is_dark=True),
    "save": Look(900),
}


@dataclass
class Album:
    """The pictures of a walk.

    Args:
        folder: Where they are.
        texts: The text of each page, by the name of the picture.
    """

    folder: Path
    texts: dict[str, str] = field(default_factory=dict)

    def take(self, name: str, page: Page) -> None:
        """Take the picture of a screen, if there is one in the documents.

        Args:
            name: The name of the screen.
            page: The page.
        """
        if name not in LOOKS:
            return
        look = LOOKS[name]
        # Also the logo.
        page.wait_for_load_state("networkidle")
        page.set_viewport_size({"width": WIDE["width"], "height": look.height})
        page.emulate_media(color_scheme="dark" if look.is_dark else "light")
        page.mouse.move(0, 0)
        page.evaluate(TO_TOP)
        path = self.folder / f"{PREFIX}{name}.png"
        page.screenshot(path=path, animations="disabled")
        self.texts[name] = normalized(page.evaluate(TEXT))
        page.emulate_media(color_scheme="light")
        page.set_viewport_size(WIDE)

    @property
    def text(self) -> str:
        """The texts of all pictures, as the documents keep them."""
        return "\n".join(f"== {name}\n{text}\n" for name, text in sorted(self.texts.items()))

    def replace(self) -> None:
        """Replace the pictures in the documents, and their texts."""
        FOLDER.mkdir(exist_ok=True)
        for old in FOLDER.glob(f"{PREFIX}*.png"):
            old.unlink()
        for new in self.folder.glob(f"{PREFIX}*.png"):
            (FOLDER / new.name).write_bytes(with_palette(new.read_bytes()))
        TEXTS.write_text(self.text, encoding="utf-8")


def normalized(text: str) -> str:
    """Return the text of a page without what differs from run to run."""
    for pattern, instead in REPLACED:
        text = re.sub(pattern, instead, text)
    return text.strip()
