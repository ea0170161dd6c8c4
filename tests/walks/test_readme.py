"""README.md: each of its commands is one that a walk runs."""

from __future__ import annotations

import re

from click.testing import CliRunner

from tap_dynamics365.commands.command import dynamics365
from tests.walks import readme


def test_commands_of_the_readme_are_those_of_the_walks() -> None:
    assert readme.PAGE.commands("") == sorted(readme.COMMANDS, key=readme.PAGE.text.index)
    assert not re.search(r"(?m)^ {4}\S", re.sub(r"(?s)```.*?```", "", readme.PAGE.text))


def test_options_named_in_the_text_of_the_readme_exist() -> None:
    named = {code for code in readme.PAGE.code if code.startswith("--")}
    shown = CliRunner().invoke(dynamics365, ["login", "--help"]).output
    assert named
    assert not [option for option in named if option not in shown]
