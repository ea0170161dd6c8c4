"""Registration: how Spark finds the data source, and what happens where something is missing."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from importlib import import_module

import pytest
from pyspark.sql.datasource import DataSource

from tools.repository import REPOSITORY

PLAIN = REPOSITORY / ".venv-plain" / "bin" / "python"


def run(python: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in the repository."""
    return subprocess.run(  # noqa: S603 - our own code
        [python, *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )


def test_spark_finds_the_data_source_by_the_name_of_a_module() -> None:
    found = [info.name for info in pkgutil.iter_modules() if info.name.startswith("pyspark_")]
    assert found == ["pyspark_dynamics365"]
    source = import_module("pyspark_dynamics365").DefaultSource
    assert issubclass(source, DataSource)
    assert source.name() == "dynamics365"


def test_module_imports_where_spark_and_arrow_are_missing() -> None:
    """Otherwise, Spark would find no data source of any package."""
    if not PLAIN.exists():
        pytest.skip("run `make .venv-plain/installed`")
    code = "import pyspark_dynamics365 as m; print(hasattr(m, 'DefaultSource'))"
    done = run(str(PLAIN), "-c", code)
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_module_has_no_data_source_on_a_spark_without_them() -> None:
    """Spark 3.5 has PySpark and PyArrow, and no `pyspark.sql.datasource`."""
    code = (
        "import sys\n"
        "sys.modules['pyspark.sql.datasource'] = None\n"
        "import pyspark_dynamics365 as m\n"
        "from tap_dynamics365.spark import read_table\n"
        "print(hasattr(m, 'DefaultSource'))\n"
    )
    done = run(sys.executable, "-c", code)
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_start_of_the_tap_imports_neither_spark_nor_arrow() -> None:
    code = (
        "import sys, tap_dynamics365.tap, tap_dynamics365.commands.command\n"
        "print([name for name in ('pyspark', 'pyarrow', 'numpy') if name in sys.modules])\n"
    )
    assert run(sys.executable, "-c", code).stdout == "[]\n"
