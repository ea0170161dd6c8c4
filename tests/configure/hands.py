"""Hands of a person who uses the page: with the mouse, or with the keyboard alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

# The Tab key is pressed so often to reach an element, at most.
MOST_TABS = 400
# What is said of the element that has the focus.
FOCUS = """target => {
  const now = document.activeElement;
  if (now === document.body) return null;
  // A link may have several lines.
  const box = now.getClientRects()[0];
  const middle = (start, end, most) => (Math.max(start, 0) + Math.min(end, most)) / 2;
  const hit = document.elementFromPoint(
    middle(box.left, box.right, innerWidth), middle(box.top, box.bottom, innerHeight));
  return {
    is_target: now === target,
    is_outlined: getComputedStyle(now).outlineStyle === "solid",
    is_in_sight: now.contains(hit),
    html: now.outerHTML.slice(0, 160),
  };
}"""


class Hand(Protocol):
    """What a person can do with the elements of a page."""

    def press(self, target: Locator) -> None:
        """Press a button, a link or a heading that opens, or change a tick."""

    def pick(self, target: Locator) -> None:
        """Pick one of several radio buttons."""

    def write(self, target: Locator, text: str) -> None:
        """Replace the text of a field."""

    def choose(self, target: Locator, option: str) -> None:
        """Choose an option of a list."""


@dataclass(frozen=True)
class Mouse:
    """A person with a mouse."""

    def press(self, target: Locator) -> None:
        """As `Hand.press`."""
        target.click()

    def pick(self, target: Locator) -> None:
        """As `Hand.pick`."""
        target.check()

    def write(self, target: Locator, text: str) -> None:
        """As `Hand.write`."""
        target.fill(text)

    def choose(self, target: Locator, option: str) -> None:
        """As `Hand.choose`."""
        target.select_option(option)


@dataclass(frozen=True)
class Keyboard:
    """A person with a keyboard alone, who sees at each step where the focus is.

    Args:
        page: The page.
    """

    page: Page

    def press(self, target: Locator) -> None:
        """As `Hand.press`."""
        self._reach(target)
        is_tick = target.get_attribute("type") == "checkbox"
        self.page.keyboard.press("Space" if is_tick else "Enter")

    def pick(self, target: Locator) -> None:
        """As `Hand.pick`."""
        # The Tab key leads to the radio button that is picked, and arrow keys to the others.
        name = target.get_attribute("name")
        others = self.page.locator(f'input[name="{name}"]')
        self._reach(self.page.locator(f'input[name="{name}"]:checked'))
        for _ in range(others.count()):
            if target.is_checked():
                return
            self.page.keyboard.press("ArrowDown")
        assert target.is_checked()

    def write(self, target: Locator, text: str) -> None:
        """As `Hand.write`."""
        self._reach(target)
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.type(text)

    def choose(self, target: Locator, option: str) -> None:
        """As `Hand.choose`."""
        self._reach(target)
        self.page.keyboard.type(option)
        assert target.input_value() == option

    def _reach(self, target: Locator) -> None:
        """Press the Tab key until an element has the focus, at most once around the page."""
        element, passed, at_end = target.element_handle(), list[str](), 0
        # Without its style sheet, a page that is new shows the focus in another way.
        self.page.wait_for_load_state()
        for _ in range(MOST_TABS):
            self.page.keyboard.press("Tab")
            focus: dict[str, Any] | None = self.page.evaluate(FOCUS, element)
            if focus is None:
                at_end += 1
                assert at_end <= 1, f"{target} is not among {passed}"
                continue
            assert focus["is_outlined"], f"The focus can't be seen: {focus['html']}"
            assert focus["is_in_sight"], f"The focus is out of sight: {focus['html']}"
            passed.append(focus["html"])
            if focus["is_target"]:
                return
        message = f"{target} is not among {passed}"
        raise AssertionError(message)
