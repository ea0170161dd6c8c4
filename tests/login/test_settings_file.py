"""`--write`: settings in a file .env or config.json, which keeps what else is in it."""

from __future__ import annotations

import json
import stat
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tap_dynamics365.login.settings_file import in_env_file, in_json, write
from tests.tap import EXECUTABLE, Tap

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client import Sandbox
    from tests.login.program import Program

NAMES = ["service_url", "client_id", "client_secret", "token_store"]
SETTINGS = st.dictionaries(
    st.sampled_from(NAMES), st.text("aä 'é\"#\\=\n", min_size=1, max_size=8), min_size=1
)
# Lines of other programs, comments, and a variable of a setting that is kept or replaced.
LINES = st.lists(
    st.sampled_from(
        [
            "# A comment",
            "",
            "OTHER='several\nlines'",
            "export PATH=/bin",
            "not a variable",
            "TAP_DYNAMICS365_TABLES=account",
            "TAP_DYNAMICS365_CLIENT_ID=old # why",
            " export TAP_DYNAMICS365_CLIENT_ID='old'",
        ]
    )
)


@hypothesis_settings(deadline=None)
@given(LINES, st.sampled_from(["\n", "\r\n"]), st.booleans(), SETTINGS)
def test_env_file_has_the_settings_and_keeps_the_rest(
    lines: list[str],
    end: str,
    ended: bool,  # noqa: FBT001 - generated
    settings: dict[str, str],
) -> None:
    text = end.join(lines) + (end if ended else "")
    changed = in_env_file(text, settings)
    before, after = (dotenv_values(stream=StringIO(each, newline="")) for each in (text, changed))
    written = {f"TAP_DYNAMICS365_{name.upper()}": value for name, value in settings.items()}
    assert after == {**before, **written}
    assert in_env_file(changed, settings) == changed
    own = [at for at, line in enumerate(lines) if "CLIENT_ID" in line]
    if "client_id" in settings and own:
        assert changed.startswith(end.join(lines[: own[-1]]))
        assert end.join(lines[own[-1] + 1 :]) in changed
    else:
        assert changed.startswith(text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('ab"\\{},:', max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
OBJECTS = st.dictionaries(st.sampled_from([*NAMES, "tables", "{", "a,b"]), VALUES)


@hypothesis_settings(deadline=None)
@given(OBJECTS, st.sampled_from([None, 2, "\t"]), st.booleans(), SETTINGS)
def test_json_file_has_the_settings_and_keeps_the_rest(
    content: dict[str, Any],
    indent: int | str | None,
    escaped: bool,  # noqa: FBT001 - generated
    settings: dict[str, str],
) -> None:
    text = f" {json.dumps(content, indent=indent, ensure_ascii=escaped)}\r\n"
    changed = in_json(text, settings)
    assert json.loads(changed) == {**content, **settings}
    assert in_json(changed, settings) == changed
    # What it had at first comes back byte for byte.
    old = {name: value for name, value in content.items() if isinstance(value, str)}
    if settings.keys() <= old.keys() and not escaped:
        assert in_json(changed, {name: old[name] for name in settings}) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", '{\n  "client_id": "x"\n}\n'),
        ("{}", '{\n  "client_id": "x"\n}'),
        ('{"a": 1e3}', '{"a": 1e3,"client_id": "x"}'),
        ('{\n    "a": [1,  2]\n}\n', '{\n    "a": [1,  2],\n    "client_id": "x"\n}\n'),
        ('{"client_id" :"old", "b":1 }', '{"client_id" :"x", "b":1 }'),
        ('{"client_id": 1, "client_id": 2}', '{"client_id": 1, "client_id": "x"}'),
    ],
)
def test_json_file_keeps_its_layout(text: str, expected: str) -> None:
    assert in_json(text, {"client_id": "x"}) == expected


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
