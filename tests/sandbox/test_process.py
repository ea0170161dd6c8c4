"""Process of the sandbox: command line, start and end."""

from __future__ import annotations

import json
import shlex
import signal
import socket
import subprocess
import sys
import threading
from typing import Any

import pytest
import requests

from sandbox.app import KINDS
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


def printed(*arguments: str) -> str:
    """What the command line prints until it is ready."""
    command = [sys.executable, "-m", "sandbox", "--rows", "10", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as process:  # noqa: S603  - this interpreter
        assert process.stdout
        lines = [*iter(process.stdout.readline, "Press Ctrl-C to stop it.\n")]
        process.terminate()
        assert process.wait(timeout=10) == 0
    return "".join(lines)


WITHOUT, TO_SIGN_IN = "without a sign-in", "to sign in"


def blocks(text: str, purpose: str = WITHOUT) -> tuple[dict[str, Any], dict[str, str]]:
    """The settings in config.json, and those in .env as a shell reads them."""
    config, environment = (
        text.partition(f"# {file} {purpose}")[2].partition("\n")[2].partition("\n\n")[0]
        for file in ("config.json", ".env")
    )
    config, lines = json.loads(config), shlex.split(environment)
    named = (line.removeprefix("TAP_DYNAMICS365_").partition("=") for line in lines)
    return config, {name.lower(): value for name, _, value in named}


def test_command_line_prints_the_settings() -> None:
    text = printed()
    assert text.startswith("A local Dynamics 365 with 10 rows is at http://127.0.0.1:")
    config, environment = blocks(text)
    assert config == environment
    assert config["service_url"].startswith("http://127.0.0.1:")


def test_command_line_prints_settings_that_select_tables_of_finance_and_operations() -> None:
    """Without them the tap reads nothing, or one company alone."""
    text = printed("--service", "finance-operations")
    assert text.startswith("A local Dynamics 365 Finance & Operations with 10 rows is at http://")
    config, environment = blocks(text)
    assert config["cross_company"] is True
    assert "CustomersV3" in config["tables"]
    assert environment["cross_company"] == "true"
    assert json.loads(environment["tables"]) == config["tables"]
    assert "default company is usmf" in text


@pytest.mark.parametrize("service", KINDS)
def test_command_line_prints_a_public_client_of_each_service(service: str) -> None:
    text = printed("--service", service)
    config, _ = blocks(text)
    public, environment = blocks(text, TO_SIGN_IN)
    assert public.keys() == environment.keys()
    assert public["client_id"] == environment["client_id"] != config["client_id"]
    assert public["token_store"] == "sandbox-token.json"  # noqa: S105 - a path
    assert not {"client_secret", "refresh_token"} & {*public}
    assert public["service_url"] == config["service_url"]


def make(*variables: str) -> list[str]:
    """The command that `make sandbox` runs."""
    command = ["make", "--dry-run", "--old-file=.venv/demo-installed", "sandbox", *variables]
    done = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, check=True)  # noqa: S603 - our Makefile
    return shlex.split(done.stdout.splitlines()[-1])


def test_make_sandbox_keeps_its_port() -> None:
    assert make()[-2:] == ["--port", "8365"]
    assert make("PORT=8400")[-2:] == ["--port", "8400"]


def test_port_that_is_in_use_is_reported_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        command = [sys.executable, "-m", "sandbox", "--rows", "10", "--port", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, check=False)  # noqa: S603 - this interpreter
    assert done.returncode == 1
    assert done.stderr.startswith(f"Port {port} is in use")
    assert f"make sandbox PORT={port + 1}" in done.stderr
    assert done.stderr.count("\n") == 1


def test_command_line_with_an_unknown_table_fails() -> None:
    with pytest.raises(SandboxError, match="with code 2"), running(table="nothing"):
        pass
