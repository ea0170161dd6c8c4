"""The page while a service is slow: the sandbox holds a request until the test lets it go."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from tests.configure.client import client_of, until
from tests.configure.conftest import configuring, redirect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sandbox.client import Sandbox
    from tests.configure.client import Answer, Client
    from tests.login.program import Program

METADATA, COUNT, TOKEN = "RetrieveMetadataChanges", "/$count", "/oauth2/v2.0/token"


def own(client: Client) -> tuple[str, str]:
    """The field that every form has."""
    return "csrf", client.csrf


@contextmanager
def held(sandbox: Sandbox, path: str, ask: Callable[[], Answer]) -> Iterator[list[Answer]]:
    """Hold the requests of the page to a path of the service while the block runs.

    Args:
        sandbox: The service.
        path: A part of the path.
        ask: Has the page send such a request.

    Yields:
        The answer of the page, once the block has ended.
    """
    answers: list[Answer] = []
    thread = Thread(target=lambda: answers.append(ask()), daemon=True)
    sandbox.fault(path, hold=True, count=None)
    try:
        thread.start()
        until(lambda: sandbox.hits() != [0])
        yield answers
        assert answers == [], "The page has not waited for the service."
    finally:
        sandbox.clear_faults()
        thread.join()


@pytest.fixture(scope="module")
def program(place: Path, own_sandbox: Sandbox) -> Iterator[Program]:
    """The command with the settings of a person who has signed in."""
    with configuring(place, own_sandbox.settings) as started:
        yield started


@pytest.fixture
def second(client: Client) -> Client:
    """Another tab of the same browser, which does not wait for long."""
    client.seconds = 20
    return client


def test_forms_and_screens_answer_while_the_tables_are_read(
    client: Client, second: Client, own_sandbox: Sandbox
) -> None:
    with held(own_sandbox, METADATA, lambda: client.get("/tables")) as answers:
        assert second.get("/connect").status == 200
        fields = {"way": "person", "service_url": own_sandbox.service_url}
        assert second.post("/connect", fields).notices == ["The fields are taken."]
        assert second.get("/save?file=.env").status == 200
        assert second.get("/query").status == 200
    assert "account" in answers[0].text


def test_filter_and_ticks_answer_while_rows_are_counted(
    client: Client, second: Client, own_sandbox: Sandbox
) -> None:
    assert "account" in client.get("/tables").text
    form = [("which", "all"), ("text", ""), ("shown", "team"), ("table", "team")]
    with held(
        own_sandbox, COUNT, lambda: client.send("POST", "/tables/count", [own(client), *form])
    ):
        assert "team" in second.get("/tables?text=team").text
        assert second.send("POST", "/tables", [own(client), *form[:3]]).status == 303
        assert "Rules" in second.get("/tables").text
    (notice,) = client.get("/tables").notices
    assert "chosen tables are counted" in notice


def test_tables_of_settings_that_have_changed_are_not_kept(
    client: Client, second: Client, own_sandbox: Sandbox
) -> None:
    fields = {"way": "person", "service_url": own_sandbox.service_url}
    client.post("/connect", {**fields, "fetch_size": "70"})
    with held(own_sandbox, METADATA, lambda: client.get("/tables")):
        second.post("/connect", {**fields, "fetch_size": "71"})
    own_sandbox.clear_requests()
    for _ in range(2):
        client.get("/tables")
    paths = [each["path"] for each in own_sandbox.requests()]
    assert sum(METADATA in path for path in paths) == 1


def test_sign_in_is_cancelled_while_the_sign_in_host_does_not_answer(
    client: Client, second: Client, own_sandbox: Sandbox, person: dict[str, str]
) -> None:
    back = redirect(client, own_sandbox, person)

    def come_back() -> Answer:
        return client.send("GET", back, headers={"Cookie": None, "Sec-Fetch-Site": "cross-site"})

    with held(own_sandbox, TOKEN, come_back):
        # The code is taken once, even if the browser sends it twice.
        assert second.send("GET", back, headers={"Cookie": None}).status == 400
        assert "Sign in as" in second.post("/sign-in/cancel").text
    assert "from sign-in" not in client.get("/connect").text


def test_page_ends_while_the_service_does_not_answer(tmp_path: Path, own_sandbox: Sandbox) -> None:
    with configuring(tmp_path, own_sandbox.settings) as program:
        client = client_of(program)
        client.open()

        def ask() -> Answer:
            return client.get("/tables")

        own_sandbox.fault(METADATA, hold=True, count=None)
        thread = Thread(target=ask, daemon=True)
        thread.start()
        until(lambda: own_sandbox.hits() != [0])
        assert "The page has ended" in client.send("POST", "/end", [own(client)]).text
        assert program.end() == 0
        own_sandbox.clear_faults()
