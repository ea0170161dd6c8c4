"""Storage of the refresh token, and the sources of the settings."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dotenv import dotenv_values

from sandbox.identity.person import ACCOUNT
from tap_dynamics365.config_files import env_text
from tests.auth.flows import account_lines
from tests.login.program import address
from tests.tap import Tap

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client import Sandbox
    from tests.login.program import Program


def test_settings_are_printed_on_request_and_no_token_is_stored(
    sign_in: Callable[..., Program], settings: dict[str, Any], service: Sandbox
) -> None:
    program = sign_in("--print", scope=f"{service.url}/.default")
    assert not Path(settings["token_store"]).exists()
    printed = dotenv_values(stream=StringIO(program.printed))
    token = printed["TAP_DYNAMICS365_REFRESH_TOKEN"]
    assert token
    assert token not in program.shown
    assert printed == {
        "TAP_DYNAMICS365_SERVICE_URL": settings["service_url"],
        "TAP_DYNAMICS365_TOKEN_URI": settings["token_uri"],
        "TAP_DYNAMICS365_CLIENT_ID": settings["client_id"],
        "TAP_DYNAMICS365_SCOPE": f"{service.url}/.default",
        "TAP_DYNAMICS365_REFRESH_TOKEN": token,
    }
    environment = {name: value for name, value in printed.items() if value}
    tap = Tap({}, environment)
    assert json.loads(tap.run("--config=ENV", "--discover").output)["streams"]


def test_printed_setting_of_any_text_is_read_back_unchanged() -> None:
    for value in ("it's a #\\ secret", "$HOME `id`", 'a"b', "line\nline", "~.-_/:@%+=,"):
        read = dotenv_values(stream=StringIO(env_text.line("client_secret", value) + "\n"))
        assert read == {"TAP_DYNAMICS365_CLIENT_SECRET": value}


def test_new_token_takes_precedence_over_the_one_in_the_settings(
    sign_in: Callable[..., Program], stored_tap: Tap, service: Sandbox
) -> None:
    configured = service.announced["public_refresh_token"]
    sign_in(refresh_token=configured)
    service.clear_requests()
    before = service.issued()
    assert stored_tap.but(refresh_token=configured).discover()["streams"]
    assert json.loads(Path(stored_tap.settings["token_store"]).read_text())["refresh_token"] in [
        token for token in service.issued() if token not in before
    ]


def account_line_or_refusal(tap: Tap) -> str:
    """Run discovery, and return the line of the log that names the account, or the refusal."""
    run = tap.run("--discover")
    return run.refusal() if run.status else " ".join(account_lines(run))


def test_token_that_the_next_run_uses_is_reported_as_used(
    sign_in: Callable[..., Program], stored_tap: Tap
) -> None:
    program = sign_in()
    assert program.shown.endswith("The tap uses it from its next run on.\n")
    expected = f"Signed in as {ACCOUNT} with the refresh token in token_store."
    assert account_line_or_refusal(stored_tap) == expected


SECRET = ("client_id", "client_secret")
# The settings of a confidential app that are configured for the tap, without token_store; what the
# command says about the tap's next run; and what that run logs.
NEXT_RUNS = {
    "an app with a secret": (
        SECRET,
        "signs in as app {client_id} with client_secret.",
        "Signed in as app {client_id} with client_secret.",
    ),
    "a refresh token": (
        (*SECRET, "refresh_token"),
        "signs in with refresh_token.",
        f"Signed in as {ACCOUNT} with refresh_token.",
    ),
    "no way to sign in": (
        (),
        "does not start. No way to sign in is configured: ",
        "No way to sign in is configured: ",
    ),
}


@pytest.mark.parametrize("case", NEXT_RUNS)
def test_next_run_without_token_store_is_described_as_it_is(
    sign_in: Callable[..., Program], settings: dict[str, Any], service: Sandbox, case: str
) -> None:
    names, described, logged = NEXT_RUNS[case]
    app = {name: service.settings[name] for name in names}
    store = settings["token_store"]
    program = sign_in("--token-store", store, token_store=None, **app)
    assert "from its next run on" not in program.shown
    whole = f"With its current settings, the tap's next run {described.format_map(app)}"
    assert whole in program.shown
    assert f"TAP_DYNAMICS365_TOKEN_STORE={store}\n" in program.shown
    assert not [secret for name, secret in app.items() if name != "client_id" and secret in whole]
    tap = Tap({**settings, **app}).but(token_store=None)
    assert account_line_or_refusal(tap).startswith(logged.format_map(app))
    # With the setting that the command names, the next run signs in as the person.
    assert account_line_or_refusal(tap.but(token_store=store)).startswith(
        f"Signed in as {ACCOUNT} "
    )


@pytest.mark.parametrize(
    ("client_id", "described", "logged"),
    [
        ("another-app", "can't sign in: ", "was issued to another app than client_id"),
        (None, "does not start. Setting client_id is missing", "Setting client_id is missing"),
    ],
)
def test_next_run_of_another_app_is_described_as_it_is(
    sign_in: Callable[..., Program],
    settings: dict[str, Any],
    client_id: str | None,
    described: str,
    logged: str,
) -> None:
    program = sign_in("--client-id", settings["client_id"], client_id=client_id)
    assert f"With its current settings, the tap's next run {described}" in program.shown
    assert f"TAP_DYNAMICS365_CLIENT_ID={settings['client_id']}\n" in program.shown
    assert logged in account_line_or_refusal(Tap(settings).but(client_id=client_id))


def test_token_with_options_that_repeat_the_connection_url_is_reported_as_used(
    sign_in: Callable[..., Program], settings: dict[str, Any]
) -> None:
    url = "jdbc:datadirect:dynamics365:ServiceURL={service_url};ClientID={client_id}"
    program = sign_in(
        "--client-id",
        settings["client_id"],
        connection_url=url.format(**settings),
        **dict.fromkeys(("service_url", "client_id")),
    )
    assert program.shown.endswith("The tap uses it from its next run on.\n")


def test_options_take_precedence_over_files_and_files_over_variables(
    login: Callable[..., Program], tmp_path: Path, settings: dict[str, Any]
) -> None:
    for number in (1, 2):
        config = {"client_id": f"of-file-{number}", "token_uri": settings["token_uri"]}
        (tmp_path / f"{number}.json").write_text(json.dumps(config))
    files = ("--config", "1.json", "--config", "2.json", "--config", "ENV")
    assert "client_id=of-variable&" in address(login(client_id="of-variable"))
    assert "client_id=of-file-2&" in address(login(*files, client_id="of-variable"))
    assert "client_id=of-option&" in address(login(*files, "--client-id", "of-option"))


def test_connection_url_of_the_driver_alone_is_enough(
    login: Callable[..., Program], settings: dict[str, Any]
) -> None:
    url = (
        "jdbc:datadirect:dynamics365:ServiceURL={service_url};TokenURI=POST {token_uri};"
        "AuthURI={auth_uri};ClientID={client_id}"
    ).format(**settings, auth_uri="https://invented.example/tenant/oauth2/authorize")
    names = dict.fromkeys(("service_url", "token_uri", "client_id"))
    # The command replaces an endpoint of version 1 by that of version 2.
    assert address(login(connection_url=url, **names)).startswith(
        "https://invented.example/tenant/oauth2/v2.0/authorize?client_id="
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "The file that --config names (config.json) can't be read: No such file"),
        ("[]", "(config.json) is not an object with a value for each setting"),
        ("{'client_id': 'invented-secret'}", "(config.json) is not JSON"),
        ('{"client_idd": "invented-secret"}', "Unknown setting client_idd: rename it to"),
        ('{"client_id": 5}', "Setting client_id must be of type string."),
        ('{"connection_url": 5}', "Setting connection_url must be of type string."),
        ('{"service_url": "http://invented.example/"}', "Setting service_url must start with"),
        (
            '{"authentication_method": "NTLM"}',
            "With authentication_method=NTLM set, the tap uses no refresh token",
        ),
        (
            '{"authentication_method": "Basic"}',
            "With authentication_method=Basic set, the tap uses no refresh token",
        ),
        (
            '{"azure_credential": "default"}',
            "With azure_credential set, the tap uses no refresh token",
        ),
    ],
)
def test_settings_that_can_not_work_are_refused_before_sign_in(
    login: Callable[..., Program], tmp_path: Path, content: str | None, words: str
) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    program = login("--config", "config.json")
    assert program.end() == 1
    assert words in program.shown
    assert "invented-secret" not in program.shown
    assert len(program.shown.splitlines()) == 1


def test_variable_that_is_no_number_is_refused(login: Callable[..., Program]) -> None:
    program = login(ws_timeout="invented-secret")
    assert program.end() == 1
    assert program.shown == "The variable TAP_DYNAMICS365_WS_TIMEOUT must be an integer.\n"


@pytest.mark.parametrize("case", ["a file of something else", "a folder", "no folder to be had"])
def test_token_store_that_can_not_be_written_is_refused_before_sign_in(
    login: Callable[..., Program], tmp_path: Path, case: str
) -> None:
    path = tmp_path / "place"
    if case == "a file of something else":
        path.write_text("# somebody's notes\n")
    elif case == "a folder":
        path.mkdir()
    else:
        path.write_text("")
        path /= "token.json"
    program = login(token_store=str(path))
    assert program.end() == 1
    assert f"token_store {path}" in program.shown
    assert "Name another file, or add --print to print the token." in program.shown
    if case == "a file of something else":
        assert path.read_text() == "# somebody's notes\n"


def test_token_store_that_is_damaged_is_replaced_as_the_tap_advises(
    sign_in: Callable[..., Program], stored_tap: Tap
) -> None:
    store = Path(stored_tap.settings["token_store"])
    store.write_text('{\n  "refresh_token": "cut of')
    assert "damaged. Replace it with dynamics365 login" in stored_tap.run("--discover").refusal()
    sign_in()
    assert account_line_or_refusal(stored_tap).startswith(f"Signed in as {ACCOUNT} ")


def test_sign_in_host_of_the_service_that_is_unknown_is_refused(
    login: Callable[..., Program],
) -> None:
    program = login(token_uri=None)
    assert program.end() == 1
    assert "none of Microsoft's known sign-in hosts" in program.shown
    assert "set token_uri" in program.shown
