"""The output of the tap, checked by singer-check-tap."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.tap import Message, Tap

# An environment of its own, made once: its pins are not the tap's.
ENVIRONMENT = REPOSITORY / ".venv-singer-tools"
PACKAGE = "singer-tools==0.4.1"


@pytest.fixture(scope="session")
def checker() -> Path:
    """The program; installed if it is not there."""
    python = ENVIRONMENT / "bin" / "python"
    program = python.with_name("singer-check-tap")
    if program.exists():
        return program
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)],
        [str(python), "-m", "pip", "install", "--quiet", PACKAGE],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            pytest.skip(f"{PACKAGE} can't be installed: {done.stderr.strip()[-300:]}")
    return program


def judge(checker: Path, output: str) -> subprocess.CompletedProcess[str]:
    """Ask the program about a tap's output."""
    return subprocess.run([checker], input=output, capture_output=True, text=True, check=False)  # noqa: S603


def test_output_of_a_first_run_is_valid(checker: Path, tap: Tap, catalog: Message) -> None:
    run = tap.sync(catalog=catalog)
    judgement = judge(checker, run.output)
    assert judgement.returncode == 0, judgement.stdout + judgement.stderr
    assert "The output is valid." in judgement.stdout
    assert f"{sum(run.counts.values())} record messages" in judgement.stdout


def test_output_of_a_second_run_is_valid(checker: Path, tap: Tap) -> None:
    few = tap.but(tables=["account", "team", "bulkdeletefailure"])
    output = few.sync(state=few.sync().state).output
    assert judge(checker, output).returncode == 0


def test_singer_check_tap_finds_invalid_output(checker: Path, tap: Tap) -> None:
    output = tap.but(tables=["team"]).sync().output
    assert judge(checker, output.replace('"isdefault":', '"isdefault":4711,"x":', 1)).returncode
    record_first = "\n".join(reversed(output.splitlines()))
    assert judge(checker, record_first).returncode
