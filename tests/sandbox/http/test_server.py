"""Server: what it logs, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import requests

from sandbox.client import PROJECT, running
from tests.sandbox.api import TIMEOUT, Api

if TYPE_CHECKING:
    from collections.abc import Iterator

BROKEN = """
import sys
from sandbox.http import server

async def app(scope, receive, send):
    raise ValueError("a defect")

listening = server.listen("127.0.0.1", 0)
print(listening.getsockname()[1], flush=True)
server.serve(app, listening, lambda: None)
"""

STOPPING = """
import os
import signal
from sandbox.http import server

def terminate():
    os.kill(os.getpid(), signal.{name})

server.serve(None, server.listen("127.0.0.1", 0), terminate)
terminate()
print("closed")
"""


@pytest.fixture
def broken() -> Iterator[subprocess.Popen[str]]:
    """A server whose application has a defect."""
    with subprocess.Popen(  # noqa: S603  - this interpreter, and a text of our own
        [sys.executable, "-c", BROKEN],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_defect_is_logged_with_its_traceback(broken: subprocess.Popen[str]) -> None:
    port = broken.stdout.readline().strip() if broken.stdout else ""
    response = requests.get(f"http://127.0.0.1:{port}/", timeout=TIMEOUT)
    assert (response.status_code, response.text) == (500, "Internal Server Error")
    broken.terminate()
    _, said = broken.communicate(timeout=TIMEOUT)
    assert "Traceback (most recent call last):" in said
    assert said.endswith("ValueError: a defect\n")


def test_faults_and_shutdown_are_not_logged(capfd: pytest.CaptureFixture[str]) -> None:
    with running(rows=10) as sandbox:
        api = Api(sandbox)
        for fault in ("drop", "reset", "truncate", "cut"):
            sandbox.fault("accounts", **{fault: True})
            with pytest.raises((requests.RequestException, json.JSONDecodeError)):
                api.read("accounts")
        sandbox.fault("accounts", delay_ms=600_000)
        with pytest.raises(requests.ReadTimeout):
            api.session.get(f"{sandbox.service_url}accounts", timeout=0.5)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_second_signal_does_not_disturb_the_shutdown(name: str) -> None:
    done = subprocess.run(  # noqa: S603  - this interpreter, and a text of our own
        [sys.executable, "-c", STOPPING.format(name=name)],
        capture_output=True,
        text=True,
        cwd=PROJECT,
        timeout=TIMEOUT,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "closed\n", "")
