"""`--write`: settings in a file .env or config.json, which keeps what else is in it."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dotenv import dotenv_values

from tap_dynamics365.login.settings_file import write
from tests.tap import EXECUTABLE, Tap

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client import Sandbox
    from tests.login.program import Program


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_json_file_of_a_windows_program_is_written_in_utf_8(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"tables": ["new_größe"]}\n', encoding=encoding)
    write(path, {"client_id": "x"})
    assert path.read_text(encoding="utf-8") == '{"tables": ["new_größe"],"client_id": "x"}\n'


@pytest.mark.parametrize("name", ["config.json", ".env"])
def test_settings_are_written_into_a_file_that_the_tap_reads(
    sign_in: Callable[..., Program],
    service: Sandbox,
    settings: dict[str, Any],
    tmp_path: Path,
    name: str,
) -> None:
    path = tmp_path / name
    own = {"config.json": '{"tables":["account"]}', ".env": "TAP_DYNAMICS365_TABLES=account"}
    path.write_text(own[name])
    app = {key: service.settings[key] for key in ("client_id", "client_secret")}
    program = sign_in("--write", str(path), **app)
    assert f"The settings are in {path}." in program.shown
    assert not [each for each in (app["client_secret"], *service.issued()) if each in program.shown]
    assert program.printed == ""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    assert own[name].rstrip("}") in text
    assert app["client_secret"] in text
    assert json.loads(Path(settings["token_store"]).read_text())["refresh_token"] not in text
    if name == ".env":
        tap = Tap({}, {key: value or "" for key, value in dotenv_values(path).items()})
        run = tap.run("--config=ENV", "--test")
    else:
        run = Tap(json.loads(text), command=EXECUTABLE).run("--test")
    assert run.counts == {"account": 1}, run.log


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("config.json", b"[]", "is not a JSON object"),
        ("config.json", b'{"a": ', "is not a JSON object"),
        ("other.env", b"A=\xff", "is not encoded in UTF-8"),
    ],
)
def test_file_of_another_form_is_refused_before_sign_in(
    login: Callable[..., Program], tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    program = login("--device-code", "--write", str(tmp_path / name))
    assert program.end() == 1
    assert f"{name} {reason}: name another one with --write." in program.shown
    assert "devicelogin" not in program.shown
    assert (tmp_path / name).read_bytes() == content


def test_print_and_write_are_refused_together(login: Callable[..., Program]) -> None:
    program = login("--print", "--write", ".env")
    assert program.end() == 2
    assert "Choose one of --print and --write." in program.shown
