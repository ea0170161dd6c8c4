"""Looks of a page: on wide and narrow screens, light and dark, for everyone (axe-core)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page, ViewportSize

AXE = Path(__file__).parents[1] / "servers/axe/node_modules/axe-core/axe.min.js"
WIDE: ViewportSize = {"width": 1280, "height": 900}
HALF: ViewportSize = {"width": 1024, "height": 768}
NARROW: ViewportSize = {"width": 390, "height": 844}
# Another scheme has other colours, and nothing else.
COLOURS = {"runOnly": ["color-contrast"]}
RUN_AXE = """options => axe.run(document, {...options, resultTypes: ["violations"]})
  .then(found => found.violations.flatMap(each => each.nodes.map(node => [each.id, node.html])))"""
OPEN = """() => {
  const closed = document.querySelectorAll("details:not([open])");
  closed.forEach(each => { each.open = true; each.dataset.opened = ""; });
}"""
# The width that the page needs, once the browser has laid it out for a screen.
WIDTH = """wanted => new Promise(done => {
  const look = () => requestAnimationFrame(() =>
    innerWidth === wanted ? done(document.documentElement.scrollWidth) : look());
  look();
})"""
# Cells so narrow that a word is broken into a few letters a line, and tables that lie under what is
# beside them.
SQUEEZED = """() => [...document.querySelectorAll("main table")].flatMap(table => {
  const longest = cell => Math.max(...cell.textContent.split(/\\s+/).map(word => word.length));
  const narrow = [...table.querySelectorAll("td, th")].find(cell =>
    cell.checkVisibility() && longest(cell) >= 8 && cell.clientWidth < 72);
  const room = table.closest(".scroll") ? Infinity : table.parentElement.clientWidth;
  return [
    ...(narrow ? [`${narrow.clientWidth} pixels for ${narrow.textContent}`] : []),
    ...(table.offsetWidth > room ? [`a table of ${table.offsetWidth} pixels in ${room}`] : []),
  ];
})"""
CLOSE = """document.querySelectorAll("[data-opened]").forEach(each => {
  each.open = false; delete each.dataset.opened;
})"""


def faults(page: Page, *, width_alone: bool = False) -> Iterator[str]:
    """Yield what is wrong with the looks of a page, with all that can be opened in it open.

    Without axe-core, only the width is looked at.

    Args:
        page: The page. It is as before afterwards.
        width_alone: Whether to look at the width alone, which takes less time.
    """
    page.evaluate(OPEN)
    for size in (NARROW, HALF, WIDE):
        page.set_viewport_size(size)
        width = page.evaluate(WIDTH, size["width"])
        if width > size["width"]:
            yield f"{width} pixels wide at {size['width']}"
        # Between the two, only the room differs.
        has_own_looks = size is not HALF and not width_alone
        schemes = (("dark", COLOURS), ("light", {})) if has_own_looks else ()
        for words in page.evaluate(SQUEEZED):
            yield f"{words} at {size['width']}"
        for scheme, options in schemes:
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            for rule, html in _violations(page, options):
                yield f"{rule} at {size['width']} pixels, {scheme}: {html}"
    page.evaluate(CLOSE)


def _violations(page: Page, options: dict[str, Any]) -> list[tuple[str, str]]:
    if not AXE.exists():
        return []
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[tuple[str, str]] = page.evaluate(RUN_AXE, options)
    return found
