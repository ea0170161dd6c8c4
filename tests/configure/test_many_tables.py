"""Screen Tables with hundreds of tables: how long a browser takes to show the list."""

from __future__ import annotations

import sys
from statistics import median
from typing import TYPE_CHECKING

from sandbox import client as sandboxes
from tests.configure.client import client_of
from tests.configure.conftest import configuring
from tools import organisation

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

MANY, FEW = 900, 30
COLUMNS = 10
ROUNDS = 2
# Milliseconds from the request to the first picture.
PAINTED = (
    "performance.getEntriesByType('paint').find(each => each.name == 'first-contentful-paint')"
    ".startTime"
)


def painted(browser: Browser, folder: Path, tables: int) -> float:
    """Measure the seconds until the list of a service with so many tables is shown."""
    names = [f"bench_table{number:03d}" for number in range(tables)]
    csdl = organisation.write(folder / f"{tables}.xml", dict.fromkeys(names, COLUMNS))
    with (
        sandboxes.running(rows=0, csdl=csdl) as sandbox,
        configuring(folder, sandbox.settings) as program,
        browser.new_context() as context,
    ):
        client = client_of(program)
        page = context.new_page()
        page.goto(client.address)
        page.wait_for_url("**/connect")
        times = []
        # The first time, the tables are read.
        for _ in range(1 + ROUNDS):
            page.goto(f"http://localhost:{client.port}/tables")
            assert page.locator("#tables tbody tr").count() == tables
            times.append(page.evaluate(PAINTED) / 1000)
        return median(times[1:])


def test_list_of_many_tables_is_shown_about_as_fast_as_one_of_few(
    browser: Browser, tmp_path: Path
) -> None:
    few, many = (painted(browser, tmp_path, tables) for tables in (FEW, MANY))
    sys.stdout.write(f"{FEW} tables: {few:.2f} s, {MANY} tables: {many:.2f} s\n")
    # A third of what each table would cost, if nothing were in common.
    assert many < few * MANY / FEW / 3
