"""Exports that are killed or stopped: the next run goes on, no row is lost, and none is doubled."""

from __future__ import annotations

import re
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from sandbox import client
from tests.export.places import Place
from tests.export.running import SMALL, export, sent, started
from tests.tap import SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.client import Sandbox
    from tests.tap import Process

ACCOUNTS = 6_000
# Longer than a test.
FOREVER_MS = 600_000
FIRST_PAGE = 9
# DuckDB has words of its own.
IN_USE = re.compile("Another export writes to .*: wait until it has ended|Conflicting lock is held")
PAGES = r"/accounts\?"


@pytest.fixture(scope="module")
def many_accounts() -> Iterator[Sandbox]:
    """A sandbox with as many accounts as several commits hold."""
    with client.running(rows=100, sizes={"account": ACCOUNTS}) as running:
        yield running


def until_page(sandbox: Sandbox, process: Process, page: int) -> None:
    """Let an export read some pages, and wait until it waits for the next one."""
    sandbox.clear_faults()
    sandbox.fault(PAGES, skip=page, count=None, delay_ms=FOREVER_MS)
    deadline = time.monotonic() + SECONDS
    while not any(sandbox.hits()) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)


@pytest.fixture(scope="module")
def accounts(many_accounts: Sandbox) -> Counter[str]:
    """The keys of the accounts, which do not change."""
    return Counter(row["accountid"] for row in many_accounts.rows("account"))


def keys(place: Place) -> Counter[str]:
    """Count the accounts at a destination by their keys."""
    return place.keys("account", "accountid")


def test_export_that_is_killed_again_and_again_loses_and_doubles_no_row(
    many_accounts: Sandbox, accounts: Counter[str], place: Place, tmp_path: Path
) -> None:
    settings = {**many_accounts.settings, **SMALL}
    assert len(accounts) == ACCOUNTS
    seen: list[int] = []
    for page in (FIRST_PAGE, 14, 20):
        with started(settings, place, tmp_path, "account") as process:
            until_page(many_accounts, process, page)
            if page == FIRST_PAGE:
                # A second export would remove the files of the first one.
                assert IN_USE.search(export(settings, place, "account").refusal())
            process.kill()
        visible = keys(place)
        assert not visible or max(visible.values()) == 1
        seen.append(len(visible))
    many_accounts.clear_faults()
    assert 0 < seen[-1] < ACCOUNTS
    # It goes on after what was committed.
    assert sent(export(settings, place, "account")) < ACCOUNTS
    assert keys(place) == accounts


def test_first_load_that_begins_again_with_full_is_killed_and_replaces_the_table(
    many_accounts: Sandbox, accounts: Counter[str], place: Place, tmp_path: Path
) -> None:
    settings = {**many_accounts.settings, **SMALL}
    many_accounts.clear_faults()
    sent(export(settings, place, "account"))
    with started(settings, place, tmp_path, "account", "--full") as process:
        until_page(many_accounts, process, 20)
        process.kill()
    # The old rows are still there.
    assert keys(place) == accounts
    many_accounts.clear_faults()
    assert sent(export(settings, place, "account")) < ACCOUNTS
    assert keys(place) == accounts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_export_that_is_stopped_commits_what_arrived_and_says_how_to_go_on(
    many_accounts: Sandbox, accounts: Counter[str], tmp_path: Path, number: int
) -> None:
    place = Place("parquet", tmp_path)
    # The rows of few pages, which are less than a commit.
    settings = {**many_accounts.settings, "fetch_size": 100}
    with started(settings, place, tmp_path, "account") as process:
        until_page(many_accounts, process, 12)
        # The pages before the one that hangs are taken in at the same moment.
        time.sleep(0.5)
        process.send_signal(number)
        _, log = process.communicate(timeout=SECONDS)
    assert process.returncode == 128 + number
    *_, last = log.decode().splitlines()
    assert last == (
        "Stopped. Everything that arrived is committed. Run the same command again to go on from "
        "there."
    )
    arrived = keys(place).total()
    assert 0 < arrived <= 12 * 100
    many_accounts.clear_faults()
    assert sent(export(settings, place, "account")) < ACCOUNTS
    assert keys(place) == accounts
