"""Walk: the whole way of a person through the page, in a browser, up to a project that is saved."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from tests.configure.client import until
from tests.configure.hands import Hand, Keyboard, Mouse
from tests.configure.looks import WIDE
from tests.configure.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from playwright.sync_api import Locator, Page

    from sandbox.client import Sandbox


class Known(NamedTuple):
    """What the walk does with a service.

    Args:
        fixture: The fixture of its sandbox.
        connect: Connects on the screen Connect.
        has_keyboard: Whether the person has a keyboard alone.
        tables: The tables that rules choose.
        unwanted: One of them, which is left out by a tick.
        column: A column of the first one, which is left out by a tick.
        advice: The button of the advice that is followed; empty if there is none.
        left_out: The tables and columns that this leaves out.
        has_pages: Whether its rows are on several pages.
    """

    fixture: str
    connect: Callable[[Walk], None]
    has_keyboard: bool
    tables: Sequence[str]
    unwanted: str
    column: str
    advice: str = ""
    left_out: Sequence[tuple[str, str]] = ()
    has_pages: bool = True


@dataclass
class Walk:
    """A person on the way through the page.

    Args:
        page: The page of the browser.
        sandbox: The service.
        known: What is done with the service.
        address: The address that the command printed.
        show: Is called at each screen with its name.
    """

    page: Page
    sandbox: Sandbox
    known: Known
    address: str
    show: Callable[[str, Page], None]

    def __post_init__(self) -> None:
        """Get ready to go."""
        origin = self.address.partition("/#")[0]
        self.witness = Witness(self.page, f"{origin}/", f"{self.sandbox.url}/")
        self.hand: Hand = Keyboard(self.page) if self.known.has_keyboard else Mouse()

    def button(self, name: str) -> Locator:
        """Return a button."""
        return self.page.get_by_role("button", name=name, exact=True)

    def link(self, name: str) -> Locator:
        """Return a link."""
        return self.page.get_by_role("link", name=name, exact=True)

    def tick(self, name: str) -> Locator:
        """Return a box to tick."""
        return self.page.get_by_role("checkbox", name=name, exact=True)

    def go(self, screen: str) -> None:
        """Go to another screen."""
        self.hand.press(self.page.get_by_role("navigation", name="Screens").get_by_text(screen))
        self.page.get_by_role("heading", name=screen, level=1).wait_for()

    def whole_way(self) -> None:
        """Walk from the first page to the last one."""
        self.page.set_viewport_size(WIDE)
        self.page.goto(self.address)
        self.page.wait_for_url("**/connect")
        assert "#k=" not in self.page.url
        self.known.connect(self)
        self._connected()
        self._choose_tables()
        self._look_at_a_table()
        self._count()
        self._plan()
        self._query()
        self._save()
        self.hand.press(self.button("End"))
        self.page.get_by_role("heading", name="The page has ended").wait_for()

    def _connected(self) -> None:
        self.button("Copy as report").wait_for()
        assert self.page.locator(".check.ok").count() >= 5
        assert self.page.locator(".check.failed").count() == 0
        assert self.page.locator("#state").inner_text().strip().startswith("Connected")
        self.show("connect", self.page)
        self.hand.press(self.button("Copy as report"))
        self.witness.hears("Copied.")

    def _choose_tables(self) -> None:
        page, known = self.page, self.known
        self.go("Tables")
        self.hand.press(page.get_by_text("Rules of the choice"))
        field = page.get_by_label("Rules, one in a line")
        self.hand.write(field, "\n".join(f"{table}.*" for table in known.tables))
        self.hand.press(self.button("Apply the rules"))
        page.locator("#summary", has_text=f"{len(known.tables)} chosen").wait_for()
        assert all(self.tick(table).is_checked() for table in known.tables)
        self.hand.press(self.tick(known.unwanted))
        self.witness.hears(f"{len(known.tables) - 1} chosen")

    def _look_at_a_table(self) -> None:
        page, known = self.page, self.known
        table = known.tables[0]
        self.hand.press(self.link(table))
        page.get_by_role("heading", name=re.compile(rf"^{table}\b")).wait_for()
        # Whoever reads with the keyboard goes on in what was loaded.
        assert page.evaluate("document.activeElement.id") == "table-heading"
        self.hand.press(self.link("Read one page"))
        page.get_by_text("Filled and bytes are those of").wait_for()
        self.hand.press(self.tick(known.column))
        rule = f"!{table}.{known.column}"
        until(lambda: rule in page.locator("#rules").input_value())
        self.show("tables", page)
        self.hand.press(self.link("First rows"))
        page.get_by_text("Values are masked.").wait_for()
        assert {*page.locator(".preview td").all_inner_texts()} == {"", "••••"}
        self.hand.press(self.link("Show the values"))
        page.get_by_text("Hide the values").wait_for()
        assert "••••" not in page.locator(".preview").inner_text()
        assert page.url.endswith("/tables")
        self.show("rows", page)

    def _count(self) -> None:
        self.hand.press(self.button("Count rows"))
        count = len(self.known.tables) - 1
        words = f"The rows of {count} of {count} chosen tables are counted."
        self.page.get_by_text(words).wait_for()

    def _plan(self) -> None:
        page, known = self.page, self.known
        self.go("Plan")
        page.get_by_text("estimated without reading a row").wait_for()
        self.hand.press(self.button("Try one page of each table"))
        page.get_by_text("measured with one page of each").wait_for()
        self.show("plan", page)
        if known.advice:
            self.hand.press(page.get_by_role("button", name=known.advice))
            page.get_by_text("Left out: ").wait_for()

    def _query(self) -> None:
        page, known, table = self.page, self.known, self.known.tables[0]
        self.go("Query")
        self.hand.choose(page.get_by_label("Or begin with a table"), table)
        self.hand.press(self.button("Fill in its path"))
        page.wait_for_url(f"**/query?table={table}")
        self.hand.press(self.button("Run"))
        page.get_by_role("region", name="Rows of the query").wait_for()
        if known.has_pages:
            self.hand.press(self.link("Next page"))
            page.get_by_role("heading", name="page 2").wait_for()
        self.show("query", page)
        self.hand.press(self.button("As curl"))
        assert "$ACCESS_TOKEN" in page.locator("#command").inner_text()

    def _save(self) -> None:
        page, known = self.page, self.known
        self.go("Save")
        diff = page.get_by_label("Diff of meltano.yml").inner_text()
        assert f"!{known.tables[0]}.{known.column}" in diff
        for secret in ("client_secret", "refresh_token"):
            assert self.sandbox.settings[secret] not in page.content()
        self.show("save", page)
        self.hand.press(page.get_by_role("button", name="Write meltano.yml"))
        page.get_by_text("Written: ~/warehouse/meltano.yml").wait_for()


def sign_in_and_pick(walk: Walk) -> None:
    """Sign a person in, and pick the environment from the list."""
    page, hand, known = walk.page, walk.hand, walk.sandbox.announced
    # The sandbox has the list of its own; a real one is that of the cloud.
    hand.write(page.locator("#field-service_url"), f"{walk.sandbox.url}/api/discovery/v2.0/")
    hand.write(page.locator("#field-client_id"), known["public_client_id"])
    hand.press(page.get_by_text("More for the sign-in"))
    hand.write(page.locator("#field-token_uri"), known["token_uri"])
    hand.press(walk.button("Sign in with Microsoft"))
    page.wait_for_url(f"{walk.sandbox.url}/**")
    hand.press(walk.button("Sign in"))
    page.get_by_text("Signed in. Choose an environment.").wait_for()
    place = page.locator(".environments li", has_text=walk.sandbox.service_url)
    hand.press(place.get_by_role("button"))


def paste(walk: Walk) -> None:
    """Paste a configuration, and test the connection."""
    names = ("service_url", "token_uri", "client_id", "client_secret")
    settings = {name: walk.sandbox.settings[name] for name in names}
    text = json.dumps({**settings, "cross_company": True})
    walk.hand.write(walk.page.get_by_label("Connection URL of the driver"), text)
    walk.hand.press(walk.button("Fill"))
    walk.page.get_by_text("these settings are filled").wait_for()
    assert settings["client_secret"] not in walk.page.content()
    walk.hand.press(walk.button("Test the connection"))


def write_and_find(walk: Walk) -> None:
    """Fill in the fields, and find the environment."""
    page, hand, known = walk.page, walk.hand, walk.sandbox.settings
    before, _, _ = walk.sandbox.service_url.partition("/Production/")
    hand.write(page.locator("#field-service_url"), before)
    hand.pick(page.locator("#way-secret"))
    hand.write(page.locator("#field-client_id"), known["client_id"])
    hand.write(page.locator("#field-client_secret"), known["client_secret"])
    hand.press(page.get_by_text("More for the sign-in"))
    hand.write(page.locator("#field-token_uri"), known["token_uri"])
    hand.press(page.get_by_text("All other settings"))
    hand.press(page.locator("summary", has_text="Tables and replication"))
    hand.write(page.locator("#field-companies"), "CRONUS*")
    hand.press(walk.button("Find my environments"))
    hand.press(walk.button("Choose Production"))


SERVICES = {
    "dataverse": Known(
        fixture="sandbox",
        connect=sign_in_and_pick,
        has_keyboard=False,
        tables=("opportunity", "annotation", "lead", "product", "team"),
        unwanted="product",
        column="opportunityratingcode",
        advice="Leave them out: ",
        left_out=[("annotation", "notetext")],
    ),
    "finance-operations": Known(
        fixture="finance_sandbox",
        connect=paste,
        has_keyboard=False,
        tables=("CustomersV3", "VendorsV2", "Currencies"),
        unwanted="Currencies",
        column="NameAlias",
        has_pages=False,
    ),
    "business-central": Known(
        fixture="central_sandbox",
        connect=write_and_find,
        has_keyboard=True,
        tables=("customers", "items", "vendors"),
        unwanted="items",
        column="email",
        has_pages=False,
    ),
}
