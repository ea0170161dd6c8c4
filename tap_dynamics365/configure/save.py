"""Screen Save: settings and choice, written into the files of the project after a diff."""

from __future__ import annotations

import secrets
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tap_dynamics365.config_files import (
    catalog_json,
    change,
    config_json,
    connection_url,
    env_file,
    git,
    meltano_yml,
)
from tap_dynamics365.configure import next_steps, pages
from tap_dynamics365.configure.next_steps import BOTH
from tap_dynamics365.configure.project import folder
from tap_dynamics365.configure.session import Notice
from tap_dynamics365.configure.shown import Shown
from tap_dynamics365.errors import Dynamics365Error, InputError
from tap_dynamics365.settings.config_schema import CONFIG_SCHEMA
from tap_dynamics365.singer import discovery

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from tap_dynamics365.config_files.change import Change
    from tap_dynamics365.config_files.replication import Replication
    from tap_dynamics365.configure.session import Session

SAVE = "/save"
URL = "url"
# The diff of a new catalog has thousands of lines.
MOST_LINES = 500
# The name of a list in a sentence has so many tables.
MOST_NAMED = 5

#: What can be written, with its name on the page and what it is for.
TARGETS = {
    meltano_yml.NAME: (
        meltano_yml.NAME,
        "For Meltano: the plugin, its settings, and the choice of tables. Secrets go to `.env`.",
    ),
    BOTH: (
        BOTH,
        "All settings, secrets too, and the choice of tables, for the tap without Meltano.",
    ),
    env_file.NAME: (
        env_file.NAME,
        "All settings as variables, secrets too. Meltano and `dynamics365` read it.",
    ),
    config_json.NAME: (
        config_json.NAME,
        "The settings alone, secrets too.",
    ),
    catalog_json.NAME: (
        catalog_json.NAME,
        "The choice of tables and columns alone.",
    ),
    URL: (
        "Connection URL",
        "For the DataDirect JDBC driver, and for the setting `connection_url`.",
    ),
}


def _show(request: Request) -> Response:
    """Show what would be written."""
    session, name = pages.session_of(request), request.query_params.get("file", meltano_yml.NAME)
    return pages.render(request, "save.html", name=name, targets=TARGETS, **_view(session, name))


def _view(session: Session, name: str) -> dict[str, Any]:
    """Return what the page shows of a file."""
    shown, problem, diffs, warnings, url = None, "", [], [], None
    try:
        if name == URL:
            url = connection_url.write(session.values)
        else:
            # If the settings change meanwhile, what is shown here can't be written.
            kept = session.shown
            changes = [each for each in _plan(session, name) if each.is_change]
            shown = kept[name] = Shown(changes)
            diffs = [_diff(each) for each in changes]
            warnings = [*_warnings(session, name)]
            for each in changes:
                if each.has_secrets:
                    git.check_ignored(each.path)
    except Dynamics365Error as error:
        problem, shown = error.message, None
    return {
        "shown": shown,
        "problem": problem,
        "diffs": diffs,
        "warnings": warnings,
        "url": url,
        "commands": next_steps.commands(session, name),
        "schedules": next_steps.schedules(session, name),
    }


def _plan(session: Session, name: str) -> list[Change]:
    """Plan what is to be written into a file, and into `.env` beside meltano.yml.

    Raises:
        Dynamics365Error: It can't be.
    """
    # Settings that were removed on the page are removed from the file.
    removed = dict.fromkeys(session.origins.keys() - session.values.keys())
    every, project = {**removed, **session.values}, session.project
    # What others keep in a configuration file is no business of other files.
    settings = {name: each for name, each in every.items() if name in CONFIG_SCHEMA["properties"]}
    if name not in TARGETS:
        msg = f"The page does not write {name}: choose one of the files in the list."
        raise InputError(msg)
    match name:
        case meltano_yml.NAME:
            rules = session.tables.rules if session.has_tables else None
            return meltano_yml.plan(project, settings, rules, _new_replication(session))
        case env_file.NAME:
            return [env_file.plan(change.place(project, name), settings)]
        case config_json.NAME:
            return [config_json.plan(change.place(project, name), settings)]
        case next_steps.BOTH:
            names = (config_json.NAME, catalog_json.NAME)
            return [each for one in names for each in _plan(session, one)]
        case _:
            rules, path = session.tables.rules, change.place(project, name)
            entries = discovery.discover(session.service, session.settings())
            streams = {entry.tap_stream_id: entry.to_dict() for entry in entries}
            # The setting tables may leave out tables whose replication was chosen.
            known = {table: each for table, each in session.replication.items() if table in streams}
            return [catalog_json.plan(path, {"streams": [*streams.values()]}, rules, known)]


def _new_replication(session: Session) -> dict[str, Replication]:
    """Return the replication of the tables for which meltano.yml has another one."""
    own = meltano_yml.read(session.project)
    known = meltano_yml.replication(own.metadata if own else {}, session.replication)
    return {
        table: chosen for table, chosen in session.replication.items() if known.get(table) != chosen
    }


def _diff(each: Change) -> tuple[str, Sequence[str], int]:
    """Return the name of a file, the lines of its diff, and how many more are not shown."""
    # The first two lines name the file.
    lines = change.diff(each)[2:]
    new = "" if each.before is not None else " (new)"
    return f"{each.path.name}{new}", lines[:MOST_LINES], max(len(lines) - MOST_LINES, 0)


def _warnings(session: Session, name: str) -> Iterator[str]:
    """Yield what a person should know before the files are written."""
    try:
        session.settings()
    except Dynamics365Error as error:
        yield f"These settings do not work yet: {error.message}"
    if name != catalog_json.NAME and (words := git.store_warning(session.project, session.values)):
        yield words
    if name not in {meltano_yml.NAME, catalog_json.NAME, BOTH}:
        return
    if not session.has_tables:
        yield (
            "The choice of tables stays as it is in the file, because the page has not read the "
            "tables yet. Without a choice, Meltano selects all of them."
        )
        return
    patterns = [str(pattern).lower() for pattern in session.values.get("tables") or ()]
    missing = [
        table
        for table in session.tables.selection
        if patterns and not any(fnmatchcase(table.lower(), pattern) for pattern in patterns)
    ]
    if missing:
        named = ", ".join(missing[:MOST_NAMED])
        more = f", and {len(missing) - MOST_NAMED:,} more" if len(missing) > MOST_NAMED else ""
        yield (
            f"The setting tables leaves out tables that are chosen: {named}{more}. Remove the "
            "setting on Connect to extract them."
        )


def _write(request: Request) -> Response:
    """Write what was shown, and nothing else."""
    session, form = pages.session_of(request), pages.form_of(request)
    name, token = form.get("file", [""])[-1], form.get("shown", [""])[-1]
    shown = session.shown.pop(name, None)
    if shown is None or not secrets.compare_digest(shown.token.encode(), token.encode()):
        words = "Nothing is written, because the form is not that of the newest diff. This is it."
        session.notices.append(Notice("error", words))
    else:
        try:
            change.write(session.project, shown.changes)
        except InputError as error:
            session.notices.append(Notice("error", error.message))
        else:
            paths = ", ".join(folder(each.path) for each in shown.changes)
            session.saved()
            session.notices.append(Notice("ok", f"Written: {paths}."))
    return pages.lead(f"{SAVE}?{urlencode({'file': name})}")


ROUTES = [pages.page(SAVE, _show), pages.action(SAVE, SAVE, _write)]
