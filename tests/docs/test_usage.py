"""docs/usage.md: its examples do what the page says."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING

import pytest
import yaml

from tap_dynamics365.settings.config_schema import CONFIG_SCHEMA
from tests.commands.program import dynamics365
from tests.documents import Document, without_numbers
from tests.tap import Tap
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sandbox.client import Sandbox

PAGE = Document(REPOSITORY / "docs" / "usage.md")


@pytest.fixture
def tap(sandbox: Sandbox) -> Tap:
    """A tap that reads one small table."""
    return Tap({**sandbox.settings, "tables": ["team"]})


def test_meltano_example_fits_the_block_of_meltano_yml() -> None:
    (example,) = PAGE.blocks("Meltano", "yaml")
    (plugin,) = yaml.safe_load(example)["plugins"]["extractors"]
    definition = yaml.safe_load((REPOSITORY / "meltano.yml").read_text(encoding="utf-8"))
    (block,) = definition["plugins"]["extractors"]
    assert plugin["name"] == block["name"]
    assert plugin["use_cached_catalog"] is block["use_cached_catalog"] is False
    assert set(plugin["config"]) <= set(CONFIG_SCHEMA["properties"])
    left_out = {"namespace", "executable", "capabilities", "commands", "settings"}
    assert left_out <= set(block)
    assert all(f"`{name}`" in PAGE.sections["Meltano"] for name in left_out)


def test_catalog_entry_of_the_example_has_the_fields_of_discovery(tap: Tap) -> None:
    (example,) = PAGE.blocks("Singer commands", "json")
    (entry,) = tap.discover()["streams"]
    assert set(json.loads(example)) <= set(entry)


def messages(log: str) -> list[str]:
    """The messages in a log that are not metrics, without times and sizes."""
    texts = (line.rpartition(" | ")[2] for line in log.splitlines())
    return [without_numbers(text) for text in texts if not text.startswith("METRIC")]


def test_log_without_metrics_keeps_all_other_lines(tap: Tap) -> None:
    whole = tap.run()
    quiet = tap.but(metrics_log_level="warning").run()
    assert "METRIC" in whole.log
    assert "METRIC" not in quiet.log
    assert messages(quiet.log) == messages(whole.log)


def test_log_in_json_has_a_line_of_json_for_each_message(tap: Tap, tmp_path: Path) -> None:
    (example,) = PAGE.blocks("Log", "yaml")
    file = tmp_path / "logging.yml"
    file.write_text(example)
    in_json = replace(tap, environment={"SINGER_SDK_LOG_CONFIG": str(file)})
    lines = [json.loads(line) for line in in_json.run().log.splitlines()]
    assert lines[-1]["level"] == "info"
    assert lines[-1]["message"].startswith("Sent ")
    assert any("metric_info" in line for line in lines)
    quiet = in_json.but(metrics_log_level="WARNING").run()
    without = [json.loads(line) for line in quiet.log.splitlines()]
    assert without[-1]["message"].startswith("Sent ")
    assert not any("metric_info" in line for line in without)


def test_log_at_level_warning_has_warnings_and_the_summary(tap: Tap) -> None:
    quiet = replace(tap, environment={"TAP_DYNAMICS365_LOGLEVEL": "WARNING"}).run()
    (summary,) = quiet.log.splitlines()
    assert "Sent " in summary
    warned = replace(
        tap.but(tables=["team", "no_such_*"]), environment={"LOGLEVEL": "WARNING"}
    ).run()
    warning, summary = warned.log.splitlines()
    assert "no_such_*" in warning
    assert "Sent " in summary


def test_log_at_level_error_is_empty(tap: Tap) -> None:
    run = replace(tap, environment={"TAP_DYNAMICS365_LOGLEVEL": "ERROR"}).run()
    assert (run.status, run.log) == (0, "")


def shown(section: str) -> dict[str, list[str]]:
    """The output in a section of the page, by the command line without `--config config.json`."""
    found = re.findall(
        r"^    \$ dynamics365 (\w+)(?: --config config\.json)?(.*)\n((?:    [^$\n].*\n)*)",
        PAGE.sections[section],
        re.MULTILINE,
    )
    return {
        f"{command}{rest}": [line.strip() for line in lines.splitlines()]
        for command, rest, lines in found
    }


def is_shown(line: str, printed: str) -> bool:
    """Whether a line of the page, which may be cut off at its end, is a line of output."""
    line, printed = without_numbers(line), without_numbers(printed)
    beginning, is_cut_off = line.removesuffix(" …"), line.endswith(" …")
    return printed.startswith(beginning) if is_cut_off else printed == line


def test_check_of_the_page_prints_what_the_page_shows(sandbox: Sandbox) -> None:
    ((command, lines),) = shown("Checking the connection").items()
    tables = ["account", "contact", "territory"]
    settings = {**sandbox.settings, "tables": tables, "replication_method": "LOG_BASED"}
    output = dynamics365(command, settings)
    assert len(output.lines) == len(lines)
    assert all(map(is_shown, lines, output.lines)), output.printed


def test_environments_of_the_page_are_printed_as_the_page_shows(sandbox: Sandbox) -> None:
    ((command, lines),) = shown("Finding the environment").items()
    output = dynamics365(command, sandbox.settings)
    # The port differs.
    assert output.lines == [line.replace("http://127.0.0.1:8365", sandbox.url) for line in lines]


def test_tables_of_the_page_are_printed_as_the_page_shows(sandbox: Sandbox) -> None:
    examples = shown("Looking at the tables")
    assert len(examples) == 4
    for line, lines in examples.items():
        command, *arguments = line.split()
        output = dynamics365(command, sandbox.settings, *arguments)
        printed = output.lines[: len(lines)]
        if "--sizes" in arguments:
            # Compression depends on the port in the links.
            assert all(map(is_shown, lines, printed))
        else:
            assert printed == lines


def test_estimate_of_the_page_prints_what_the_page_shows(sandbox: Sandbox) -> None:
    beginning = "    $ dynamics365 estimate --config config.json "
    first, *others = PAGE.sections["Estimating a load"].partition(beginning)[2].splitlines()
    example = takewhile(lambda line: not line or line.startswith("    "), others)
    output = dynamics365("estimate", sandbox.settings, *first.split())

    def shown_lines(lines: Iterable[str]) -> list[str]:
        # Numbers of bytes and time differ, and with them the spaces before them.
        return [without_numbers(" ".join(line.split())) for line in lines if line.strip()]

    expected = shown_lines(example)
    assert len(expected) > 15
    assert shown_lines(output.lines) == expected


def test_write_of_the_page_prints_what_the_page_shows(tmp_path: Path) -> None:
    ((line, lines),) = shown("Writing the files of a project").items()
    command, *arguments = shlex.split(line)
    name, pip_url = "tap-dynamics365", "tap-dynamics365[configure]"
    block = f"  - name: {name}\n    variant: invented\n    pip_url: {pip_url}\n"
    (tmp_path / "meltano.yml").write_text(f"plugins:\n  extractors:\n{block}")
    output = dynamics365(command, None, *arguments, folder=tmp_path)
    assert [line.strip() for line in output.lines] == lines


def test_query_of_the_page_prints_what_the_page_shows(sandbox: Sandbox) -> None:
    ((line, lines),) = shown("Querying the service").items()
    command, *arguments = shlex.split(line)
    assert dynamics365(command, sandbox.settings, *arguments).lines == lines
