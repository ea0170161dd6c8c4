"""Screen Plan: what the first load and each run of the choice cost, and how they cost less."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from starlette.responses import Response

from tap_dynamics365.config_files.replication import Replication
from tap_dynamics365.configure import pages
from tap_dynamics365.configure.chosen_catalog import catalog
from tap_dynamics365.configure.plan_run import PlanRun
from tap_dynamics365.configure.session import Notice
from tap_dynamics365.errors import SettingsError
from tap_dynamics365.planning import units
from tap_dynamics365.planning.notes import as_document, notes
from tap_dynamics365.planning.tables import planned_tables
from tap_dynamics365.singer.catalog import read_catalog

if TYPE_CHECKING:
    from starlette.requests import Request

    from tap_dynamics365.configure.session import Session
    from tap_dynamics365.configure.table_list import TableList
    from tap_dynamics365.planning.plan import Advice
    from tap_dynamics365.services.kind import Service
    from tap_dynamics365.settings import Settings

PLAN = "/plan"


def _show(request: Request) -> Response:
    session = pages.session_of(request)
    run = _run(session) if session.tables.selection else None
    return _render(request, "plan.html", run)


def _render(request: Request, template: str, run: PlanRun | None) -> Response:
    # Asked once, and before the plan: a page that shows an end shows what it has led to.
    is_running = run is not None and run.is_running
    plan = run.plan if run else None
    return pages.render(
        request,
        template,
        run=run,
        is_running=is_running,
        plan=plan,
        loads=[("First load", plan.first_load), ("Each run", plan.each_run)] if plan else [],
        notes=[*notes(plan)] if plan else [],
        units=units,
    )


def _run(session: Session) -> PlanRun:
    """Return the plan of the choice. It is made again once the choice changes."""
    found, service, settings = session.tables, session.service, session.settings()
    # One request of the page makes the plan, and others that want it wait.
    with session.planning:
        return _made(session, found, service, settings)


def _made(session: Session, found: TableList, service: Service, settings: Settings) -> PlanRun:
    """Return the plan of the choice, and make it if there is none."""
    replication = {
        table: chosen for table, chosen in session.replication.items() if table in found.selection
    }
    choice = (tuple(found.rules), tuple(sorted(replication.items())))
    run = session.plan
    if run is None or run.choice != choice or run.service is not service:
        described = {name: found.described[name] for name in found.selection}
        chosen = read_catalog(catalog(session, found.selection)).values()
        tables = planned_tables(chosen, described, service, settings)
        run = PlanRun(choice, tables, service, settings, found.measured)
        with session.lock:
            if session.is_current(service):
                session.plan = run
    return run


def _measure(request: Request) -> None:
    """Begin to read a page of each table."""
    session = pages.session_of(request)
    if not session.tables.selection:
        msg = "No table is chosen."
        raise SettingsError(msg)
    _run(session).measure()


def _document(request: Request) -> Response:
    """Show the plan as `dynamics365 estimate --json` prints it."""
    session = pages.session_of(request)
    if not session.tables.selection:
        msg = "No table is chosen."
        raise SettingsError(msg)
    # Not JSONResponse, which fails for halves of characters in labels of a service.
    document = json.dumps(as_document(_run(session).plan))
    return Response(document, media_type="application/json")


def _progress(request: Request) -> Response:
    """Show how many tables were read. Once all were, the script replaces the whole plan."""
    run = pages.session_of(request).plan
    if run is None:
        return Response(headers={"HX-Refresh": "true"})
    if run.is_running:
        return pages.render(request, "measure.part.html", run=run, is_running=True)
    answer = _render(request, "plan.answer.html", run)
    answer.headers["HX-Retarget"] = "#plan"
    return answer


def _follow(request: Request) -> None:
    """Follow an advice."""
    session, sentence = pages.session_of(request), pages.form_of(request).get("advice", [""])[-1]
    # Of another choice, it could leave out what the person has chosen since.
    every = _run(session).plan.advice if session.tables.selection else ()
    advice = next((each for each in every if each.sentence == sentence and each.change), None)
    if advice is None:
        msg = "The plan has changed since. This is the new one."
        raise SettingsError(msg)
    found = session.tables
    with session.lock:
        session.notices.append(Notice("ok", _apply(session, found, advice)))


def _apply(session: Session, found: TableList, advice: Advice) -> str:
    """Change the choice; return what was changed."""
    change, said = advice.change, []
    if change and change.replication_method:
        chosen = Replication(change.replication_method)
        session.replication = {**session.replication, **dict.fromkeys(advice.tables, chosen)}
        said.append(f"{', '.join(advice.tables)} is replicated {chosen.method}.")
    if change and change.deselect:
        selection = dict(found.selection)
        for table, column in change.deselect:
            selection[table] = selection[table] - {column}
        found.select(selection)
        said.append(f"Left out: {', '.join('.'.join(place) for place in change.deselect)}.")
    return " ".join(said)


ROUTES = [
    pages.page(PLAN, _show),
    pages.page("/plan/progress", _progress),
    pages.page("/plan/json", _document),
    pages.action("/plan/measure", f"{PLAN}#measuring", _measure, asks=True),
    pages.action("/plan/advice", PLAN, _follow, asks=True),
]
