"""Windows: what runs there imports nothing that Windows lacks, and what does not says so.

The modules and functions that Windows lacks are removed from an interpreter of this system.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tools.repository import REPOSITORY

WINDOWS = """
import os, signal, sys

LACKING = {"curses", "fcntl", "grp", "pty", "pwd", "readline", "resource", "termios", "tty"}

class Lacking:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in LACKING:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Lacking())
for name in ("fork", "geteuid", "killpg", "mkfifo", "openpty", "posix_spawn", "setsid"):
    delattr(os, name)
for name in ("SIGALRM", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGUSR1", "setitimer"):
    delattr(signal, name)
"""
IMPORT = """
import pkgutil
from importlib import import_module

names = ["sandbox.__main__", "tests.project.smoke"]
for package in ("tap_dynamics365", "pyspark_dynamics365", "sandbox", "tools", "demo", "soak"):
    found = pkgutil.walk_packages(import_module(package).__path__, f"{package}.")
    # Other modules of this name run a program when they are imported.
    names += [module.name for module in found if not module.name.endswith(".__main__")]
for name in names:
    import_module(name)
print(len(names))
"""


def on_windows(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program without what Windows lacks."""
    return subprocess.run(  # noqa: S603  - a program of this file
        [sys.executable, "-c", WINDOWS + program],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_modules_of_the_tap_and_the_sandbox_import_on_windows() -> None:
    done = on_windows(IMPORT)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100


@pytest.mark.parametrize(
    ("module", "subject"),
    [
        ("demo.__main__", "The demo"),
        ("soak.__main__", "The soak test"),
        ("benchmarks.__main__", "A benchmark"),
        ("benchmarks.finance_operations", "A benchmark"),
    ],
)
def test_program_that_needs_another_system_says_so_on_windows(module: str, subject: str) -> None:
    done = on_windows(f"from {module} import main\nsys.argv[1:] = []\nmain()")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"{subject} needs Linux or macOS. On Windows, `python -m sandbox` starts a local Dynamics "
        "365 for the tap.\n"
    )


def test_test_suite_says_on_windows_that_it_needs_another_system() -> None:
    """Not a traceback for each file of tests."""
    done = on_windows(
        "import pytest\n"
        "sys.exit(pytest.main(['-p', 'no:cacheprovider', '--collect-only', 'tests/http']))"
    )
    assert done.returncode == 1
    assert done.stderr.startswith("The test suite needs Linux or macOS.")
    assert done.stdout == ""
