"""Input files: encodings, pipes, and the states that a file may hold."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_dynamics365.singer import state_file
from tests.singer.test_bad_input import NOWHERE, refusal
from tests.tap import SECONDS, Message, Run, Tap, choose, in_one_mode, select

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.client import Sandbox

BOOKMARKS: Message = {
    "bookmarks": {
        "invented": {"replication_key": "größe", "replication_key_value": "2026-01-31T08:00:00Z"},
        "other": {"version": 7},
    }
}
EARLIER: Message = {"bookmarks": {"invented": {"replication_key_value": "2025-01-01"}}}
CATALOG: Message = {"streams": []}
NOTHING = "The catalog selects no table: nothing is extracted."
RECORD: Message = {"type": "RECORD", "stream": "invented", "record": {"bookmarks": {}}}


def message(state: Message) -> Message:
    """A STATE message."""
    return {"type": "STATE", "value": state}


def lines(*documents: Message, end: str = "\n") -> str:
    """Documents, one a line."""
    return "".join(json.dumps(document) + "\n" for document in documents[:-1]) + (
        json.dumps(documents[-1]) + end
    )


def sync(folder: Path, state: bytes) -> Run:
    """Run a sync of no tables, which sends nothing but the state that it was given."""
    path = folder / "given.json"
    path.write_bytes(state)
    return Tap(NOWHERE).run("--state", str(path), catalog=CATALOG)


def piped(folder: Path, *arguments: str, given: bytes) -> Run:
    """Run the tap with a pipe as its standard input."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "tap_dynamics365", *arguments],
        cwd=folder,
        input=given,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    return Run(done.returncode, done.stdout.decode(), done.stderr.decode())


# As Notepad and PowerShell 5.1 write them, and as json.detect_encoding recognizes them.
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
def test_files_in_another_encoding_of_unicode_are_read(tmp_path: Path, encoding: str) -> None:
    contents = {"config": NOWHERE, "catalog": CATALOG, "state": BOOKMARKS}
    arguments = []
    for option, content in contents.items():
        path = tmp_path / option
        path.write_bytes(json.dumps(content, ensure_ascii=False).encode(encoding))
        arguments += [f"--{option}", str(path)]
    done = Tap({}).run(*arguments)
    assert done.status == 0, done.log
    assert done.state == BOOKMARKS


@in_one_mode
def test_files_from_pipes_are_read(
    service: Sandbox, tap: Tap, catalog: Message, tmp_path: Path
) -> None:
    contents = {
        "config": tap.settings,
        "catalog": select(catalog, {"team": None}),
        "state": BOOKMARKS,
    }
    for name, content in contents.items():
        (tmp_path / name).write_text(json.dumps(content))
    for option, path in (("config", "/dev/stdin"), ("state", "-")):
        paths = {name: name for name in contents} | {option: path}
        arguments = [word for name in contents for word in (f"--{name}", paths[name])]
        done = piped(tmp_path, *arguments, given=(tmp_path / option).read_bytes())
        assert done.status == 0, done.log
        assert done.counts == {"team": len(service.rows("team"))}
        assert done.state["bookmarks"].items() >= BOOKMARKS["bookmarks"].items()


STATES = {
    "bare": json.dumps(BOOKMARKS, indent=2),
    "a STATE message": json.dumps(message(BOOKMARKS)),
    "as Meltano exports it": json.dumps({"singer_state": BOOKMARKS}, indent=2),
    "one of Meltano's in a message": json.dumps(message({"singer_state": BOOKMARKS})),
}
SEVERAL = {
    "states": (lines(EARLIER, BOOKMARKS), 2),
    "STATE messages": (lines(message(EARLIER), message(BOOKMARKS)), 2),
    "all that the tap wrote": (lines(message(EARLIER), RECORD, message(BOOKMARKS), RECORD), 3),
    "a last line cut off": (lines(EARLIER, BOOKMARKS) + '{"bookmarks": {"inv', 2),
    "blank lines and Windows' ends": (lines(EARLIER, BOOKMARKS).replace("\n", "\r\n\r\n"), 3),
}


@pytest.mark.parametrize("text", STATES.values(), ids=STATES.keys())
def test_state_file_with_a_wrapped_state_is_unwrapped(tmp_path: Path, text: str) -> None:
    done = sync(tmp_path, text.encode())
    assert done.status == 0, done.log
    assert done.states == [BOOKMARKS]
    assert done.logged("WARNING") == [NOTHING]


@pytest.mark.parametrize(("text", "line"), SEVERAL.values(), ids=SEVERAL.keys())
def test_state_file_of_several_lines_gives_the_last_state_with_a_warning(
    tmp_path: Path, text: str, line: int
) -> None:
    done = sync(tmp_path, text.encode())
    assert done.status == 0, done.log
    assert done.states == [BOOKMARKS]
    warning, nothing = done.logged("WARNING")
    assert nothing == NOTHING
    assert "--state" in warning
    assert f"line {line}" in warning


@pytest.mark.parametrize("text", ["{}", '{"singer_state": {}}', '{"bookmarks": {}}'])
def test_state_without_bookmarks_is_empty(tmp_path: Path, text: str) -> None:
    done = sync(tmp_path, text.encode())
    assert (done.status, done.states) == (0, []), done.log


NO_STATES: dict[str, tuple[Message, str]] = {
    "a catalog": (CATALOG, "catalog"),
    "a catalog in a wrapping": ({"singer_state": CATALOG}, "catalog"),
    "settings": ({"service_url": "https://invented.example/"}, "bookmarks"),
    "a record": (RECORD, "RECORD"),
    "a message without its value": ({"type": "STATE"}, "value"),
    "an array in a message": ({"type": "STATE", "value": []}, "object"),
    "Meltano's own file": ({"completed": {"singer_state": BOOKMARKS}, "partial": {}}, "bookmarks"),
}


@pytest.mark.parametrize(("content", "word"), NO_STATES.values(), ids=NO_STATES.keys())
def test_state_file_with_something_else_is_refused(
    tmp_path: Path, content: Message, word: str
) -> None:
    sentence = refusal(tmp_path, "state", json.dumps(content).encode())
    assert word in sentence
    assert "STATE" in sentence


def test_state_file_whose_last_state_is_malformed_is_refused(tmp_path: Path) -> None:
    text = lines(BOOKMARKS, {"bookmarks": 5})
    assert "STATE" in refusal(tmp_path, "state", text.encode())


def test_state_file_of_other_messages_is_refused(tmp_path: Path) -> None:
    assert "not JSON" in refusal(tmp_path, "state", lines(RECORD, RECORD).encode())


VALUES = st.one_of(st.none(), st.text(), st.integers(-(2**63), 2**63))
FOUND = st.dictionaries(
    st.text(),
    st.fixed_dictionaries(
        {}, optional={"replication_key": st.text(), "replication_key_value": VALUES}
    ),
)
WRAPPINGS = st.sampled_from([lambda s: s, message, lambda s: {"singer_state": s}])


@given(states=st.lists(st.tuples(FOUND, WRAPPINGS), min_size=1), plain=st.booleans())
def test_state_file_of_any_states_gives_the_last(*, states: list[Any], plain: bool) -> None:
    documents = [wrap({"bookmarks": bookmarks}) for bookmarks, wrap in states]
    text = "\n".join(json.dumps(each, ensure_ascii=plain) for each in documents)
    found, line = state_file.find(text)
    assert json.loads(found) == {"bookmarks": states[-1][0]}
    assert line == (len(states) if len(states) > 1 else None)


PIECES = st.sampled_from([*'{}[]",:\n', "null", '"type"', '"STATE"', '"value"', '"bookmarks"'])


@given(st.one_of(st.text(), st.lists(st.one_of(PIECES, st.text(max_size=3))).map("".join)))
def test_state_file_of_any_text_is_read_or_refused(text: str) -> None:
    try:
        found, _ = state_file.find(text)
    except msgspec.DecodeError:
        return
    assert isinstance(json.loads(found), dict)


NULLS = [
    {"bookmarks": None},
    {"bookmarks": {"team": None}},
    {"bookmarks": {"team": {"version": None}}},
    {"bookmarks": {"team": {"version": None, "partitions": None, "progress_markers": None}}},
]


@in_one_mode
@pytest.mark.parametrize("state", NULLS, ids=json.dumps)
def test_state_with_a_null_version_begins_a_new_version(
    tap: Tap, catalog: Message, state: Message
) -> None:
    full = choose(catalog, "team", replication_method="FULL_TABLE")
    done = tap.but(emit_activate_version_messages=True).sync(catalog=full, state=state)
    assert done.state["bookmarks"]["team"]["version"] > 0
    assert done.messages[-2]["type"] == "ACTIVATE_VERSION"


NO_TOKEN = {"delta_token": None, "replication_key": None, "replication_key_value": None}


@in_one_mode
def test_state_with_a_null_delta_token_gets_a_new_token(service: Sandbox, tap: Tap) -> None:
    log_based = tap.but(replication_method="LOG_BASED", tables=["team"])
    chosen = select(log_based.discover(), {"team": None})
    first = log_based.sync(catalog=chosen, state={"bookmarks": {"team": NO_TOKEN}})
    assert len(first.records("team")) == len(service.rows("team"))
    assert isinstance(first.state["bookmarks"]["team"]["delta_token"], str)
    assert not first.logged("WARNING")
    second = log_based.sync(catalog=chosen, state=first.state)
    assert second.records("team") == []
