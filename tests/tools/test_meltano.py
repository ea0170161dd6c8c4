"""Temporary Meltano projects."""

import json
import os
import select
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tools.meltano import MeltanoError, Project, Run, start

LINES = [
    "2026-11-23T22:34:23.822197Z [info     ] meltano      Meltano 4.4.1, Python 3.11.2",
    json.dumps({"event": "Running catalog discovery", "level": "info"}),
    json.dumps(
        {"event": "Went wrong", "level": "error", "string_id": "tap-dynamics365", "producer": True}
    ),
    *(
        json.dumps(
            {
                "event": "METRIC",
                "level": "info",
                "string_id": plugin,
                "producer": plugin == "tap-dynamics365",
                "metric_info": {
                    "type": "counter",
                    "metric": metric,
                    "value": value,
                    "tags": {"stream": stream},
                },
            }
        )
        for plugin, metric, stream, value in (
            ("tap-dynamics365", "record_count", "account", 5),
            ("tap-dynamics365", "record_count", "account", 2),
            ("tap-dynamics365", "record_count", "contact", 1),
            ("tap-dynamics365", "http_request_count", "contact", 9),
            ("target-postgres", "record_count", "account", 7),
        )
    ),
    "[1, 2]",
]


def test_rows_sent_by_the_tap_are_counted_by_stream() -> None:
    """Only the tap's record counters are added up, no other metric and not the target's."""
    assert Run("\n".join(LINES)).records == {"account": 7, "contact": 1}


def test_log_is_readable() -> None:
    """Each entry has its source; lines that are no entries stay as they are."""
    log = Run("\n".join(LINES)).log.splitlines()
    assert log[0] == LINES[0]
    assert log[1] == "meltano          info     Running catalog discovery"
    assert log[2] == "tap-dynamics365  error    Went wrong"
    assert log[-1] == "[1, 2]"


def test_command_that_fails_raises_an_error_with_the_log(
    meltano: Callable[[dict[str, str]], Project],
) -> None:
    """The error has the command and its output."""
    with pytest.raises(MeltanoError, match="tap-nothing") as caught:
        meltano({}).run("run", "tap-nothing", "target-jsonl")
    assert caught.value.command == "meltano run tap-nothing target-jsonl"


def test_project_does_not_inherit_the_users_settings(
    meltano: Callable[[dict[str, str]], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables for the tap, the targets and Meltano are only those of the project."""
    monkeypatch.setenv("TAP_DYNAMICS365_CLIENT_ID", "a user's own")
    monkeypatch.setenv("MELTANO_ENVIRONMENT", "prod")
    project = meltano({"TAP_DYNAMICS365_SCOPE": "the project's"})
    output = project.run("config", "print", "tap-dynamics365").output
    config, _ = json.JSONDecoder().raw_decode(output[output.index("{\n") :])
    assert config["scope"] == "the project's"
    assert "client_id" not in config


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let the signal USR1 do what Ctrl-C does, whether or not there is a terminal."""
    before = signal.signal(signal.SIGUSR1, signal.default_int_handler)
    yield
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.usefixtures("interruptible")
def test_command_that_is_interrupted_leaves_no_process(
    meltano: Callable[[dict[str, str]], Project], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Ctrl-C ends Meltano and all its processes."""
    # A pipe says by its end that all who could write to it are gone.
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    program = tmp_path / "meltano"
    # Not at once: nobody presses Ctrl-C while the program is still being started.
    program.write_text(
        f"#!/bin/sh\nexec 3>{pipe}\nsleep 600 &\nsleep 2\nkill -USR1 {os.getpid()}\nwait\n"
    )
    program.chmod(0o755)
    project = replace(meltano({}), start=start)
    monkeypatch.setattr("tools.meltano.EXECUTABLE", program)
    with pytest.raises(KeyboardInterrupt):
        project.run("run")
    ended, _, _ = select.select([reader], [], [], 60)
    assert ended
    assert os.read(reader, 1) == b""
    os.close(reader)
