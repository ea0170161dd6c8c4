"""The page in a real browser: with and without JavaScript, on small screens, and for everyone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.configure import looks
from tests.configure.client import client_of
from tests.configure.conftest import configuring
from tests.configure.witness import Witness
from tests.login.program import press

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page, Route

    from sandbox.client import Sandbox
    from tests.login.program import Program


@pytest.fixture(scope="module")
def program(place: Path, own_sandbox: Sandbox) -> Iterator[Program]:
    """The command, with the settings of a public client that nobody has signed in to."""
    own_sandbox.configure(device_code_interval=1)
    settings = {
        "service_url": own_sandbox.service_url,
        "token_uri": own_sandbox.announced["token_uri"],
        "client_id": own_sandbox.announced["public_client_id"],
    }
    with configuring(place, settings) as started:
        yield started


@pytest.fixture(scope="module")
def opened(program: Program, browser: Browser, own_sandbox: Sandbox) -> Iterator[BrowserContext]:
    """A browser that has opened the page, and has signed in."""
    client = client_of(program)
    context = browser.new_context()
    page = context.new_page()
    page.goto(client.address)
    page.wait_for_url("**/connect")
    assert client.key not in page.url
    page.get_by_role("button", name="Sign in with Microsoft").click()
    page.wait_for_url(f"{own_sandbox.url}/**")
    press(page, "Sign in", "Connect")
    assert "Signed in as Ada Sandbox" in page.locator(".notices").inner_text()
    assert page.url == f"http://localhost:{client.port}/connect"
    page.close()
    yield context
    context.close()


@pytest.fixture(scope="module")
def tab(opened: BrowserContext, program: Program) -> tuple[Page, list[str]]:
    """A tab, and what it complains of and requests from other hosts."""
    port = client_of(program).port
    visits: list[str] = []
    found = opened.new_page()
    found.on("pageerror", lambda error: visits.append(str(error)))
    found.on("console", lambda said: said.type == "error" and visits.append(said.text))
    found.on(
        "request",
        lambda asked: f"//localhost:{port}/" in asked.url or visits.append(asked.url),
    )
    found.set_viewport_size({"width": 1280, "height": 900})
    return found, visits


@pytest.fixture
def visits(tab: tuple[Page, list[str]]) -> list[str]:
    """What the browser complains of, and what it requests from other hosts."""
    return tab[1]


@pytest.fixture
def page(tab: tuple[Page, list[str]]) -> Page:
    """A tab of the browser that has opened the page. Each test goes to its own address."""
    found, visits = tab
    visits.clear()
    return found


def go(page: Page, program: Program, path: str) -> None:
    """Open a page."""
    page.goto(f"http://localhost:{client_of(program).port}{path}")


def test_ticks_in_the_browser_change_summary_and_rules(
    page: Page, program: Program, visits: list[str]
) -> None:
    go(page, program, "/tables")
    page.get_by_role("button", name="Tick none").click()
    page.get_by_text("0 chosen").wait_for()
    page.get_by_role("checkbox", name="lead", exact=True).check()
    page.get_by_text("1 chosen").wait_for()
    page.get_by_text("Rules of the choice").click()
    assert page.get_by_label("Rules, one in a line").input_value() == "lead.*"
    page.get_by_role("link", name="contact", exact=True).click()
    page.get_by_role("checkbox", name="firstname", exact=True).click()
    page.get_by_text("2 chosen").wait_for()
    assert page.get_by_role("checkbox", name="contact", exact=True).is_checked()
    page.get_by_label("Rules, one in a line").fill("team.*")
    page.get_by_role("button", name="Apply the rules").click()
    page.get_by_text("1 chosen").wait_for()
    assert page.get_by_role("checkbox", name="team", exact=True).is_checked()
    assert visits == []


def test_connection_url_follows_the_fields_while_they_are_typed(
    page: Page, program: Program, visits: list[str]
) -> None:
    go(page, program, "/connect")
    page.get_by_label("Client ID").fill("abc-invented")
    page.get_by_text("ClientID=abc-invented;").wait_for()
    assert visits == []


def test_filter_narrows_the_list_while_it_is_typed(page: Page, program: Program) -> None:
    go(page, program, "/tables")
    field = page.get_by_label("Name, label or column")
    field.type("acc")
    shown = page.locator("#tables tbody tr:visible a").all_inner_texts()
    assert shown
    assert all("acc" in name for name in shown)
    field.press("Enter")
    page.wait_for_url("**/tables?text=acc&which=all")
    assert set(page.locator("#tables tbody a").all_inner_texts()) >= {*shown}


def test_fields_that_were_typed_go_along_to_another_screen(
    page: Page, program: Program, visits: list[str]
) -> None:
    go(page, program, "/connect")
    field = page.locator("#field-client_id")
    before = field.input_value()
    field.fill("typed-invented")
    page.get_by_role("navigation", name="Screens").get_by_text("Save").click()
    page.get_by_role("heading", name="Save", level=1).wait_for()
    go(page, program, "/connect")
    assert field.input_value() == "typed-invented"
    # The Enter key takes the fields, and presses no button of another purpose.
    field.fill(before)
    field.press("Enter")
    page.get_by_text("The fields are taken.").wait_for()
    assert field.input_value() == before
    assert visits == []


@pytest.mark.parametrize("way", ["secret", "certificate", "azure", "ntlm", "basic", "token"])
def test_way_to_sign_in_shows_its_own_fields(page: Page, program: Program, way: str) -> None:
    go(page, program, "/connect")
    assert page.get_by_role("button", name="Sign in with Microsoft").is_visible()
    page.locator(f"#way-{way}").check()
    shown = {
        name
        for name in page.locator("form.connect .fields [name]:visible").evaluate_all(
            "all => all.map(each => each.name)"
        )
        if not name.startswith("remove.")
    }
    expected = {
        "secret": {"client_id", "client_secret"},
        "certificate": {"client_id", "client_certificate", "client_certificate_password"},
        "azure": {"azure_credential", "client_id"},
        "ntlm": {"user", "password", "ntlm_domain"},
        "basic": {"user", "password"},
        "token": {"access_token"},
    }
    assert shown == expected[way]
    assert not page.get_by_role("button", name="Sign in with Microsoft").is_visible()


def test_end_of_the_checks_is_read_out(page: Page, program: Program, own_sandbox: Sandbox) -> None:
    own = f"http://localhost:{client_of(program).port}/"
    witness = Witness(page, own, own)
    go(page, program, "/connect")
    own_sandbox.fault("WhoAmI", hold=True, count=None)
    try:
        page.get_by_role("button", name="Test the connection").click()
        page.get_by_text("Checking.").wait_for()
        page.wait_for_load_state()
    finally:
        own_sandbox.clear_faults()
    witness.hears("checks done, 0 failed.")
    assert witness.complaints == []


def test_end_of_a_measurement_is_read_out_and_keeps_the_focus(
    page: Page, program: Program, own_sandbox: Sandbox
) -> None:
    own = f"http://localhost:{client_of(program).port}/"
    witness = Witness(page, own, own)
    go(page, program, "/tables")
    page.get_by_text("Rules of the choice").click()
    page.get_by_label("Rules, one in a line").fill("team.*\nlead.*")
    page.get_by_role("button", name="Apply the rules").click()
    page.locator("#summary", has_text="2 chosen").wait_for()
    go(page, program, "/plan")
    own_sandbox.fault("teams", hold=True, count=None)
    try:
        page.get_by_role("button", name="Try one page of each table").click()
        page.get_by_text("Tables read: ").wait_for()
        # The address names a place, and until it is shown the browser takes the focus away.
        page.wait_for_load_state("networkidle")
        page.get_by_role("link", name="lead", exact=True).focus()
    finally:
        own_sandbox.clear_faults()
    witness.hears("One page of 2 tables is read.")
    page.get_by_text("measured with one page of each").wait_for()
    assert page.evaluate("document.activeElement.innerText") == "lead"
    assert witness.complaints == []


def test_sign_in_with_a_code_leads_back_by_itself(
    page: Page, program: Program, own_sandbox: Sandbox
) -> None:
    go(page, program, "/connect")
    page.get_by_role("button", name="Show a code instead").click()
    page.get_by_role("link", name="devicelogin").focus()
    with page.expect_response("**/sign-in"):
        pass
    page.get_by_role("link", name="devicelogin").wait_for()
    assert page.evaluate("document.activeElement.id") == "device-address"
    own_sandbox.approve_device(page.locator("strong.code").inner_text())
    page.get_by_role("heading", name="Connect").wait_for()
    assert "Signed in as Ada Sandbox" in page.locator(".notices").inner_text()


def test_page_without_javascript_connects_chooses_and_saves(
    browser: Browser, place: Path, own_sandbox: Sandbox
) -> None:
    with configuring(place, own_sandbox.settings) as started:
        client = client_of(started)
        context = browser.new_context(java_script_enabled=False)
        page = context.new_page()
        page.goto(client.address)
        page.get_by_label("Key").fill(client.key)
        page.get_by_role("button", name="Open").click()
        page.get_by_role("heading", name="Connect").wait_for()
        page.get_by_role("button", name="Test the connection").click()
        # The page loads itself again until the checks have ended.
        page.get_by_text("The report, as Markdown").wait_for()
        assert page.locator(".check.ok").count() >= 8
        page.get_by_role("link", name="Tables", exact=True).click()
        page.get_by_role("checkbox", name="account", exact=True).uncheck()
        with page.expect_navigation():
            page.get_by_role("button", name="Apply the ticks").click()
        assert not page.get_by_role("checkbox", name="account", exact=True).is_checked()
        page.get_by_role("link", name="lead", exact=True).click()
        page.get_by_role("checkbox", name="fullname", exact=True).uncheck()
        with page.expect_navigation():
            page.get_by_role("button", name="Apply the ticks").click()
        assert not page.get_by_role("checkbox", name="fullname", exact=True).is_checked()
        page.get_by_role("link", name="First rows").click()
        page.get_by_text("Values are masked.").wait_for()
        assert page.locator(".preview tbody tr").count() == 20
        plan_query_and_save(page, place)
        page.get_by_role("button", name="End").click()
        page.get_by_role("heading", name="The page has ended").wait_for()
        context.close()
        assert started.end() == 0


def test_rows_of_a_table_lead_to_a_query(page: Page, program: Program) -> None:
    go(page, program, "/tables")
    page.get_by_role("link", name="contact", exact=True).click()
    page.get_by_role("link", name="First rows").click()
    page.get_by_role("link", name="Query this table").click()
    page.wait_for_url("**/query?table=contact")
    assert page.get_by_label("Path below service_url").input_value() == "contacts"


def plan_query_and_save(page: Page, project: Path) -> None:
    """Plan what is chosen, run a query, and save the choice."""
    page.get_by_role("link", name="Plan", exact=True).click()
    page.get_by_text("estimated without reading a row").wait_for()
    page.get_by_role("button", name="Try one page of each table").click()
    page.get_by_text("measured with one page of each").wait_for()
    page.get_by_role("link", name="Query", exact=True).click()
    page.get_by_label("Or begin with a table").select_option("contact")
    page.get_by_role("button", name="Fill in its path").click()
    page.wait_for_url("**/query?table=contact")
    page.get_by_role("button", name="Run").click()
    page.get_by_role("link", name="Next page").click()
    page.get_by_role("heading", name="page 2").wait_for()
    page.get_by_role("button", name="As curl").click()
    assert "$ACCESS_TOKEN" in page.locator("#command").inner_text()
    page.get_by_role("link", name="Save", exact=True).click()
    assert "select:" in page.get_by_label("Diff of meltano.yml (new)").inner_text()
    page.get_by_role("button", name="Write meltano.yml").click()
    page.get_by_text("Written: ").wait_for()
    assert "select:" in (project / "meltano.yml").read_text()
    (project / "meltano.yml").unlink()


# Screens that nobody sees on the whole way.
PLACES = {
    "columns": "/table?name=account",
    "sample": "/table?name=account&sample=1",
    "tables": "/tables",
    "replication": "/table/replication?name=account",
    "references": "/tables/references",
    "save-url": "/save?file=url",
    "query-json": "/query?path=accounts?$top=2&as=json",
    "problem": "/table?name=nothing",
    "start": "/",
}


@pytest.fixture(scope="module")
def looking(browser: Browser) -> Iterator[Page]:
    """An empty page of another browser."""
    with browser.new_context() as context:
        yield context.new_page()


@pytest.mark.parametrize("path", PLACES.values(), ids=PLACES)
def test_page_is_accessible_and_fits_the_screen(
    looking: Page, opened: BrowserContext, program: Program, path: str
) -> None:
    looking.context.clear_cookies()
    # The first page is for who has no cookie yet.
    if path != "/":
        looking.context.add_cookies(opened.cookies())
    go(looking, program, path)
    assert [*looks.faults(looking)] == []
    if not looks.AXE.exists():
        pytest.skip("axe-core is not installed: npm install --prefix tests/servers/axe")


def test_first_step_with_the_keyboard_skips_to_the_content(page: Page, program: Program) -> None:
    go(page, program, "/tables")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    assert re.search(r"#main$", page.url)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


def test_button_pressed_while_a_field_is_sent_takes_the_form_once(
    page: Page, program: Program
) -> None:
    go(page, program, "/connect")
    sent = []
    page.on("request", lambda asked: asked.method == "POST" and sent.append(urlsplit(asked.url)))

    def hold(route: Route) -> None:
        # The field is sent meanwhile, to show the URL for the driver.
        page.wait_for_event("request", lambda asked: asked.method == "POST")
        route.continue_()

    page.route("**/connect/sign-in", hold, times=1)
    field = page.get_by_label("Client ID")
    field.fill(field.input_value())
    page.get_by_role("button", name="Sign in with Microsoft").click(no_wait_after=True)
    page.wait_for_url("**/oauth2/**")
    assert [each.path for each in sent] == ["/connect/sign-in", "/connect/url"]
