"""The demo, as `make demo` runs it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo import __main__ as demo
from demo.report import table
from tools.meltano import Project
from tools.repository import REPOSITORY


@pytest.fixture
def command_line(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A command line of the demo with few rows; signals are put back afterwards."""
    monkeypatch.setattr(sys, "argv", ["demo", "--rows", "300"])
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def run(home: Path, *arguments: str) -> str:
    """Run the demo to its end, and return its output."""
    finished = subprocess.run(  # noqa: S603  - this interpreter
        [sys.executable, "-m", "demo", "--rows", "600", *arguments],
        cwd=REPOSITORY,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.stderr == ""
    assert finished.returncode == 0
    return finished.stdout


@pytest.mark.usefixtures("needs_meltano")
def test_demo_prints_both_runs(tmp_path: Path) -> None:
    """All rows arrive, then only the changes, and the repository is unchanged."""

    def files() -> set[Path]:
        found: set[Path] = set()
        for folder, folders, names in os.walk(REPOSITORY):
            # Environments have a hundred times as many files.
            folders[:] = [each for each in folders if not each.startswith((".", "__pycache__"))]
            found |= {Path(folder, each) for each in (*folders, *names) if not each.startswith(".")}
        return found

    before = files()
    output = run(tmp_path)
    assert re.search(r"First run: .* s +\d{3} rows in \d+ requests\n", output)
    # The changes, and the row changed last before, unless it is among the changes.
    assert re.search(r"\n    account +20 +5 +(2[56]) +\1\n", output)
    assert re.search(r"\n    contact +30 +10 +(4[01]) +\1\n", output)
    assert "PostgreSQL has the same rows as Dynamics 365.\n" in output
    assert files() == before


@pytest.mark.usefixtures("needs_meltano")
def test_demo_of_finance_operations_shows_companies_and_deletions(tmp_path: Path) -> None:
    """All companies within reach arrive, and deleted rows leave."""
    output = run(tmp_path, "--service", "finance-operations")
    for company in ("usmf", "ussi", "demf", "dat"):
        assert re.search(rf"\n    {company} +(\d+) +\1(  default company.*)?\n", output)
    assert re.search(r"\n    gbsi +\d+ +0  not within", output)
    assert re.search(r"\n    CustomersV3 +none: .* +20 +12 +(\d+) +\1\n", output)
    assert "PostgreSQL has the same rows as Finance & Operations.\n" in output
    assert output.endswith("make sandbox SERVICE=finance-operations\n")


@pytest.mark.usefixtures("command_line")
def test_demo_that_fails_prints_the_end_of_the_log(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The exit code is not 0; the error, the last lines of the log and its file are printed."""
    program = tmp_path / "meltano"
    program.write_text("#!/bin/sh\nseq -f 'line %g' 100\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setattr("tools.meltano.EXECUTABLE", program)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert demo.main() == 1
    out, err = capsys.readouterr()
    assert re.search(r"First run: .* failed\n$", out)
    assert "meltano run tap-dynamics365 target-postgres failed.\n" in err
    assert "line 100" in err
    assert "line 50\n" not in err
    whole = Path(err.splitlines()[-1].removeprefix("Complete log: "))
    assert whole.read_text().startswith("line 1\n")


@pytest.mark.usefixtures("command_line")
def test_demo_that_is_terminated_stops(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """SIGTERM stops the demo as Ctrl-C does."""

    def stop(_project: Project, *_arguments: str) -> None:
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(Project, "run", stop)
    assert demo.main() == 130
    assert capsys.readouterr().out.endswith("Interrupted. All processes of the demo have ended.\n")


def test_table_aligns_numbers_to_the_right() -> None:
    """Texts are aligned to the left, and missing values are empty."""
    assert table(("name", "rows"), [("a", 1_000), ("bcdef", None)]).splitlines() == [
        "    name    rows",
        "    -----  -----",
        "    a      1,000",
        "    bcdef",
    ]
