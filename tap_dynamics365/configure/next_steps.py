"""Next steps: what to run once files are saved, now and on a schedule."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tap_dynamics365.config_files import catalog_json, config_json, env_file, meltano_yml, plugin
from tap_dynamics365.config_files.secrets import is_secret_setting
from tap_dynamics365.errors import InputError
from tap_dynamics365.settings.environment import PREFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_dynamics365.configure.session import Session

#: Both files of the tap without Meltano.
BOTH = f"{config_json.NAME} and {catalog_json.NAME}"
# A target that Meltano knows, for a project that has none.
LOADER = "target-jsonl"
# The files are those of the folder examples/, whose project has this folder and this target.
EXAMPLES = Path(__file__).with_name("schedules")
FOLDER, TARGET = '"/opt/warehouse"', "target-postgres"
SCRIPT_FOLDER = "/srv/dynamics365"


class Schedule(NamedTuple):
    """What runs the saved project again and again.

    Attributes:
        name: What runs it.
        where: Where the text belongs, in one sentence.
        text: The text.
    """

    name: str
    where: str
    text: str


def commands(session: Session, name: str) -> Sequence[str]:
    """Return the commands to run once a file is written.

    Args:
        session: The session.
        name: What is written.
    """
    match name:
        case meltano_yml.NAME:
            loader = _loader(session.project)
            add = [] if loader else [f"meltano add {LOADER}"]
            return [*add, "meltano install", f"meltano run {plugin.NAME} {loader or LOADER}"]
        case env_file.NAME:
            return ["dynamics365 check"]
        case config_json.NAME:
            return [f"dynamics365 check --config {name}"]
        case _ if name in {catalog_json.NAME, BOTH}:
            tap = f"{plugin.NAME} --config {config_json.NAME} --catalog {catalog_json.NAME}"
            return [f"{tap} | {LOADER}"]
        case _:
            return []


def schedules(session: Session, name: str) -> Sequence[Schedule]:
    """Return what runs the saved project on a schedule, fitted to it.

    Args:
        session: The session.
        name: What is written.
    """
    match name:
        case meltano_yml.NAME:
            loader = _loader(session.project) or LOADER
            return [
                _cron(session.project, loader),
                _airflow(session.project, loader),
                _github_actions(session, loader),
            ]
        case _ if name in {catalog_json.NAME, BOTH}:
            return [_script(session.project, in_json=name == BOTH)]
        case _:
            return []


def _loader(project: Path) -> str:
    """Return the first loader of the project; empty if it has none."""
    try:
        return next(iter(meltano_yml.loaders(project)), "")
    except InputError:
        return ""


def _cron(project: Path, loader: str) -> Schedule:
    run = f"meltano run {plugin.NAME} {shlex.quote(loader)}"
    line = f"cd {shlex.quote(str(project))} && flock --nonblock .meltano/extract.lock {run}"
    return Schedule(
        "cron",
        "A line for `crontab -e`. cron knows few folders: write `meltano` with the folder that "
        "`which meltano` prints.",
        # cron reads a percent sign as the end of the line.
        "15 * * * * " + f"{line} >> extract.log 2>&1".replace("%", r"\%") + "\n",
    )


def _airflow(project: Path, loader: str) -> Schedule:
    text = (EXAMPLES / "dynamics365.py.txt").read_text(encoding="utf-8")
    # A text of JSON is one of Python too.
    folder = json.dumps(str(project), ensure_ascii=False)
    return Schedule(
        "Airflow",
        "A DAG of Airflow 3: a file in the folder of your DAGs.",
        text.replace(FOLDER, folder).replace(TARGET, loader),
    )


def _github_actions(session: Session, loader: str) -> Schedule:
    text = (EXAMPLES / "extract.yml").read_text(encoding="utf-8")
    # What is not secret is in meltano.yml.
    secrets = [
        f"        {PREFIX}{name.upper()}: ${{{{ secrets.{name.upper()} }}}}\n"
        for name in session.values
        if is_secret_setting(name)
    ]
    # Targets have settings that only their own documentation knows.
    own = rf"        (?:{PREFIX}|TARGET_).*\n" if loader != TARGET else rf"        {PREFIX}.*\n"
    kept = re.sub(own, "", text)
    first, backend, rest = kept.partition("        MELTANO_STATE_BACKEND_URI: ")
    value, end, rest = rest.partition("\n")
    return Schedule(
        "GitHub Actions",
        "The file `.github/workflows/extract.yml` in the repository of the project.",
        "".join((first, backend, value, end, *secrets, rest)).replace(TARGET, loader),
    )


def _script(project: Path, *, in_json: bool) -> Schedule:
    text = (EXAMPLES / "extract.sh").read_text(encoding="utf-8")
    text = text.replace(SCRIPT_FOLDER, shlex.quote(str(project)).replace("%", r"\%"))
    if in_json:
        text = text.replace("set -a; . ./.env; set +a\n", "")
        text = text.replace("--config=ENV", f"--config {config_json.NAME}")
        text = text.replace(".env with the settings", f"{config_json.NAME} with the settings")
    return Schedule(
        "cron",
        "A script `extract.sh` in the folder of the project. `target.json` there has the settings "
        'of the target, such as `{"destination_path": "output", "do_timestamp_file": false}`.',
        text,
    )
