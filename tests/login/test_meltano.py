"""The login command run by Meltano: `meltano invoke tap-dynamics365:login`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.login.program import address, press, running, variables
from tools.meltano import EXECUTABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.tap import Tap
    from tools.meltano import Project


def test_meltano_login_takes_settings_of_the_project_and_asks_for_the_rest(
    meltano: Callable[[dict[str, str]], Project],
    settings: dict[str, Any],
    page: Page,
    stored_tap: Tap,
) -> None:
    """Meltano writes standard error to its log by line, so that questions go to the terminal."""
    project = meltano(variables({**settings, "client_id": None}))
    with running(
        project.folder,
        "invoke",
        "tap-dynamics365:login",
        "--browser",
        terminal=True,
        environment=project.environment,
        command=(str(EXECUTABLE),),
    ) as program:
        program.expect(r"\(client_id\): $")
        program.type(settings["client_id"])
        program.expect(r"\(client_secret\): $")
        program.type("")
        page.goto(address(program))
        press(page, "Sign in")
        assert program.end() == 0
    assert "Signed in as Ada Sandbox" in program.shown
    assert stored_tap.discover()["streams"]
