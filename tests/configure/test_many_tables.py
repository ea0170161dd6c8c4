"""Screen Tables with hundreds of tables: how long a browser takes to show the list."""

from __future__ import annotations

import json
import sys
import time
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
    # All have changed since.
    older = {"schema": {"properties": {}}, "metadata": []}
    streams = [{"tap_stream_id": name, **older} for name in names]
    (folder / "catalog.json").write_text(json.dumps({"streams": streams}))
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
            assert page.get_by_text("changed", exact=True).count() == tables
            times.append(page.evaluate(PAINTED) / 1000)
        # What other programs take of the processor only adds to a time.
        return min(times[1:])


def test_list_of_many_tables_is_shown_about_as_fast_as_one_of_few(
    browser: Browser, tmp_path: Path
) -> None:
    few, many = (painted(browser, tmp_path, tables) for tables in (FEW, MANY))
    sys.stdout.write(f"{FEW} tables: {few:.2f} s, {MANY} tables: {many:.2f} s\n")
    # A third of what each table would cost, if nothing were in common.
    assert many < few * MANY / FEW / 3


def test_column_costs_no_more_time_in_a_table_of_1000_columns(tmp_path: Path) -> None:
    wide, narrow = 1_000, 50
    csdl = organisation.write(tmp_path / "wide.xml", {"bench_wide": wide, "bench_narrow": narrow})
    with (
        sandboxes.running(rows=0, csdl=csdl) as sandbox,
        configuring(tmp_path, sandbox.settings) as program,
    ):
        client = client_of(program)
        client.open()

        def seconds(table: str, columns: int) -> float:
            times = []
            # The first time, the choices of the table are read. Of the others, the shortest is the
            # one that other programs disturb least.
            for _ in range(1 + 5 * ROUNDS):
                began = time.monotonic()
                page = client.get(f"/table?name={table}&sample=1")
                times.append(time.monotonic() - began)
                assert page.text.count("<tr><td><input ") == columns
            return min(times[1:])

        # No column costs more because there are many.
        assert seconds("bench_wide", wide) < seconds("bench_narrow", narrow) * wide / narrow
