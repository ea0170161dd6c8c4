"""Witness: what a browser complains of, what it reads out, and where it loses the focus."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from tests.configure.client import until

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Page

# What a screen reader reads out when it changes. It knows only the regions that were there before.
SCRIPT = """
addEventListener("securitypolicyviolation", event =>
  console.error(`${event.violatedDirective} refuses ${event.blockedURI}`));
addEventListener("DOMContentLoaded", () => {
  const told = text => console.debug("witness " + JSON.stringify(text));
  const regions = document.querySelectorAll("[aria-live], [role=status], [role=alert]");
  for (const region of regions) {
    new MutationObserver(() => told({announced: region.innerText}))
      .observe(region, {childList: true, subtree: true, characterData: true});
  }
  let had = null;
  document.addEventListener("htmx:beforeSwap", () => { had = document.activeElement; });
  document.addEventListener("htmx:afterSettle", event => {
    // Who presses Tab in between leaves an element that could still have the focus.
    const couldHaveIt = had.isConnected && !had.disabled && had.checkVisibility();
    if (!couldHaveIt && document.activeElement === document.body) {
      told({lost: had.outerHTML.slice(0, 160)});
    }
  });
});
"""
PREFIX = "witness "


@dataclass
class Witness:
    """What happens in a page of a browser, from its next load on.

    Args:
        page: The page.
        own: The beginning of the addresses of the page, which is watched.
        other: That of the addresses of the sign-in host.
        complaints: Errors, violations of the content security policy, requests that failed or lead
            elsewhere, and elements that lost the focus.
        announced: The texts that a screen reader reads out.
    """

    page: Page
    own: str
    other: str
    complaints: list[str] = field(default_factory=list)
    announced: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin."""
        page = self.page
        page.add_init_script(SCRIPT)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._hear)
        page.on("request", lambda asked: self._see(asked.url))
        page.on("requestfailed", lambda asked: self._miss(asked.url, asked.failure or ""))
        page.on("response", lambda answer: self._take(answer.url, answer.status))

    def _hear(self, said: ConsoleMessage) -> None:
        if said.text.startswith(PREFIX):
            told = json.loads(said.text.removeprefix(PREFIX))
            if "announced" in told:
                self.announced.append(told["announced"])
            else:
                self.complaints.append(f"The focus was lost: {told['lost']}")
        elif said.type in {"error", "warning"} and said.location["url"].startswith(self.own):
            self.complaints.append(said.text)

    def _see(self, url: str) -> None:
        if not url.startswith((self.own, self.other)):
            self.complaints.append(f"A request leads elsewhere: {url}")

    def _miss(self, url: str, failure: str) -> None:
        # A browser that leaves a page ends its requests.
        if failure != "net::ERR_ABORTED":
            self.complaints.append(f"{url}: {failure}")

    def _take(self, url: str, status: int) -> None:
        if status >= HTTPStatus.BAD_REQUEST:
            self.complaints.append(f"{url}: {status}")

    def hears(self, words: str) -> None:
        """Wait until a screen reader has read words out, and forget what it read before.

        Args:
            words: The words.
        """

        def is_heard() -> bool:
            # Events arrive while Playwright works.
            self.page.evaluate("0")
            return any(words in each for each in self.announced)

        until(is_heard)
        self.announced.clear()
