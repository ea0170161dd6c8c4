"""README.md: each of its commands is one that a walk runs."""

from __future__ import annotations

import re

from tap_dynamics365.login.command import login
from tests.walks import readme


def test_commands_of_the_readme_are_those_of_the_walks() -> None:
    assert readme.PAGE.commands("") == sorted(readme.COMMANDS, key=readme.PAGE.text.index)
    assert not re.search(r"(?m)^ {4}\S", re.sub(r"(?s)```.*?```", "", readme.PAGE.text))


def test_options_named_in_the_text_of_the_readme_exist() -> None:
    named = {code for code in readme.PAGE.code if code.startswith("--")}
    known = {name for each in login.params for name in (*each.opts, *each.secondary_opts)}
    assert named
    assert named <= known
