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


def test_reading_a_service_without_the_singer_sdk_imports_no_part_of_it() -> None:
    program = (
        "import sys\n"
        "import tap_dynamics365.extract.engine\n"
        "import tap_dynamics365.extract.reader\n"
        "import tap_dynamics365.services.describe\n"
        "import tap_dynamics365.services.registry\n"
        "print('singer_sdk' in sys.modules)\n"
    )
    done = subprocess.run(  # noqa: S603  - as above
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
