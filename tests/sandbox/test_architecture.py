"""Architecture: which package may import which, by the contracts in pyproject.toml."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tools.repository import REPOSITORY

LINTER = Path(sys.executable).with_name("lint-imports")


def test_imports_follow_the_contracts() -> None:
    done = subprocess.run(  # noqa: S603  - a program of this environment
        [LINTER, "--no-cache", "--no-logo"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
