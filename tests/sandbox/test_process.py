"""Process of the sandbox: command line, start and end."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest
import requests

from sandbox.client import PROJECT, SandboxError, running


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_sandbox_that_is_terminated_ends_at_once(number: signal.Signals) -> None:
    with running(rows=10) as sandbox:
        sandbox.configure(page_delay_ms=60_000)
        waiting = threading.Thread(target=lambda: _failing_get(sandbox.service_url))
        waiting.start()
        sandbox.process.send_signal(number)
        assert sandbox.process.wait(timeout=10) == 0
        waiting.join(timeout=10)


def _failing_get(url: str) -> None:
    try:
        requests.get(f"{url}accounts", timeout=30)
    except requests.RequestException:
        return


def test_sandbox_stops_when_the_program_fails() -> None:
    with pytest.raises(ZeroDivisionError), running(rows=10) as sandbox:
        raise ZeroDivisionError
    assert sandbox.process.returncode == 0


def test_command_line_prints_the_settings() -> None:
    command = [sys.executable, "-m", "sandbox", "--rows", "10"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as process:  # noqa: S603  - this interpreter
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(9)]
        process.terminate()
        assert process.wait(timeout=10) == 0
    assert lines[0].startswith("A local Dynamics 365 with 10 rows is at http://127.0.0.1:")
    assert any(line.startswith("TAP_DYNAMICS365_SERVICE_URL=http://127.0.0.1:") for line in lines)


def test_command_line_with_an_unknown_table_fails() -> None:
    with pytest.raises(SandboxError, match="with code 2"), running(table="nothing"):
        pass
