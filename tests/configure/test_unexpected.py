"""Errors that nobody expects: each work of the page ends with a sentence, and nothing waits on."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.configure.client import until
from tests.configure.conftest import checks, configuring, redirect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.client import Sandbox
    from tests.configure.client import Answer, Client
    from tests.login.program import Program

WORDS = "Unexpected LookupError. The terminal has more."
# The command, with a defect of a package that raises what it does not document.
DEFECT = """
import os
import runpy
from pathlib import Path
from urllib3.connectionpool import HTTPConnectionPool

whole = HTTPConnectionPool.urlopen

def urlopen(self, method, url, *arguments, **options):
    broken = Path(os.environ["BROKEN"]).read_text()
    if broken and broken in url:
        raise LookupError("invented-secret")
    return whole(self, method, url, *arguments, **options)

HTTPConnectionPool.urlopen = urlopen
runpy.run_module("tap_dynamics365.commands", run_name="__main__", alter_sys=True)
"""


class Defect:
    """The defect.

    Args:
        file: Has a part of the paths of the requests that fail.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.file.touch()

    @contextmanager
    def on(self, path: str) -> Iterator[None]:
        """Have requests fail while the block runs, by a part of their paths."""
        self.file.write_text(path)
        try:
            yield
        finally:
            self.file.write_text("")


@pytest.fixture(scope="module")
def defect(tmp_path_factory: pytest.TempPathFactory) -> Defect:
    """The defect."""
    return Defect(tmp_path_factory.mktemp("defect") / "broken")


@pytest.fixture(scope="module")
def program(place: Path, own_sandbox: Sandbox, defect: Defect) -> Iterator[Program]:
    """The command with the defect, and with the log at level DEBUG."""
    settings = {**own_sandbox.settings, "ws_retry_count": 0}
    environment = {"BROKEN": str(defect.file), "TAP_DYNAMICS365_LOGLEVEL": "DEBUG"}
    # Each token has to be renewed soon.
    own_sandbox.configure(token_lifetime=1)
    with configuring(place, settings, command=("-c", DEFECT), environment=environment) as started:
        yield started


def test_screen_shows_an_unexpected_error_and_the_log_its_traceback(
    client: Client, defect: Defect, program: Program
) -> None:
    with defect.on("/api/data/"):
        page = client.get("/tables")
    assert (page.status, page.notices) == (200, [WORDS])
    program.expect("Unexpected LookupError. Report it with the log at level DEBUG.")
    program.expect("(?s)Traceback .*LookupError: invented-secret")
    assert "account" in client.get("/tables").text


def test_form_that_fails_unexpectedly_leads_back_with_a_sentence(
    client: Client, defect: Defect
) -> None:
    with defect.on("/"):
        assert client.post("/connect/environments").notices == [WORDS]


def test_measurement_that_fails_unexpectedly_ends_with_a_sentence(
    client: Client, defect: Defect
) -> None:
    client.post("/tables/rules", {"rules": "team.*"})
    assert "estimated without reading a row" in client.get("/plan").text

    def has_failed() -> bool:
        # It succeeds for as long as the token is valid.
        client.post("/plan/measure")
        until(lambda: "Tables read: " not in client.get("/plan/progress").text)
        return WORDS in client.get("/plan").notices

    with defect.on("/token"):
        until(has_failed)


def test_check_that_fails_unexpectedly_has_its_traceback_in_the_log(
    client: Client, defect: Defect, program: Program
) -> None:
    with defect.on("/token"):
        client.post("/connect/check")
        status, words = checks(client)["sign-in"]
    assert (status, words.partition(":")[0]) == ("failed", "Unexpected LookupError")
    program.expect("The check sign-in has failed.")


def test_return_from_the_sign_in_host_shows_an_unexpected_error_only_on_the_page(
    client: Client, own_sandbox: Sandbox, defect: Defect, person: dict[str, str]
) -> None:
    back = redirect(client, own_sandbox, person)
    with defect.on("/token"):
        answer = client.send("GET", back, headers={"Cookie": None, "Sec-Fetch-Site": "cross-site"})
    assert (answer.status, "The sign-in has ended" in answer.text) == (200, True)
    assert WORDS not in answer.text
    assert client.get("/sign-in").headers.get("location") == "/connect"
    assert client.get("/connect").notices == [WORDS]


def test_code_whose_redemption_fails_unexpectedly_is_waited_for_no_longer(
    client: Client, own_sandbox: Sandbox, defect: Defect, person: dict[str, str]
) -> None:
    def part() -> Answer:
        return client.send("GET", "/sign-in", headers={"HX-Request": "true"})

    own_sandbox.configure(device_code_interval=1)
    assert re.search(r'<strong class="code">', client.post("/connect/code", person).text)
    with defect.on("/token"):
        until(lambda: "hx-redirect" in part().headers)
    assert client.get("/connect").notices == [WORDS]
