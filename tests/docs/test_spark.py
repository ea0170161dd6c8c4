"""docs/spark.md: its options, versions and examples."""

from __future__ import annotations

import re
import tomllib

from tap_dynamics365.settings import JSON_SCHEMA
from tap_dynamics365.spark.options import OWN, PARTITIONS
from tap_dynamics365.spark.source import REQUESTS_OF_A_USER
from tests.documents import Document
from tools.repository import REPOSITORY

PAGE = Document(REPOSITORY / "docs" / "spark.md")


def test_options_of_the_page_are_those_of_the_data_source() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGE.section("options"), re.MULTILINE)
    # The path is the argument of `load`.
    assert {name for name, _ in rows} == {*OWN} - {"path"}
    assert f"{PARTITIONS} if not set" in dict(rows)["partitions"]
    assert f"more than {REQUESTS_OF_A_USER} requests at a time" in PAGE.text.replace("\n", " ")


def test_python_of_the_page_compiles_and_sets_options_that_exist() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.text, re.MULTILINE | re.DOTALL)
    assert blocks
    known = {*JSON_SCHEMA["properties"], *OWN, "checkpointLocation"}
    for block in blocks:
        compile(block, "docs/spark.md", "exec")
        assert {*re.findall(r"\.option\(\s*\"(\w+)\"", block)} <= known


def test_package_takes_the_pyspark_of_the_cluster() -> None:
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    extras = project["optional-dependencies"]
    assert extras["spark"] == extras["arrow"]
    assert "pyspark" not in "".join(project["dependencies"])
