"""Screen Connect: the environment, the way to sign in, and the checks of both."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tap_dynamics365.config_files import connection_url
from tap_dynamics365.configure import fields, guide, pages, pasted, sign_in
from tap_dynamics365.configure.check_run import CheckRun
from tap_dynamics365.configure.session import Notice
from tap_dynamics365.configure.ways import WAYS, left_out
from tap_dynamics365.connection import list_environments
from tap_dynamics365.errors import SettingsError
from tap_dynamics365.services.dataverse.kind import DATAVERSE
from tap_dynamics365.services.registry import complete_url, kind_of
from tap_dynamics365.settings.grant import Grant
from tap_dynamics365.settings.table import GROUPS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from tap_dynamics365.configure.session import Session
    from tap_dynamics365.configure.ways import Way

CONNECT = "/connect"
# In forms: the way to sign in, and the screen that the person goes to.
WAY, THEN = "way", "then"
# The service itself, then what each way to sign in has, in the order of the page.
ADDRESS = "service_url"
# The settings of these groups have fields of their own on the page.
APART = {"Service", "Sign-in", "Connection URL"}
OTHERS = {name: settings for name, settings in GROUPS.items() if name not in APART}
ORDER = [
    "client_id",
    "client_secret",
    "client_certificate",
    "client_certificate_password",
    "azure_credential",
    "user",
    "password",
    "ntlm_domain",
    "access_token",
    "token_uri",
    "refresh_token",
    "token_store",
    "scope",
    "auth_uri",
]
# Fields that most people leave empty.
SELDOM = {"token_uri", "refresh_token", "scope", "auth_uri"}


def _show(request: Request) -> Response:
    session = pages.session_of(request)
    url = complete_url(str(session.values.get(ADDRESS) or ""))
    # Most people have Dataverse.
    kind = kind_of(url) if url else DATAVERSE
    field = partial(fields.field, values=session.values, origins=session.origins)
    return pages.render(
        request,
        "connect.html",
        ways=WAYS.values(),
        service=kind.name,
        guides={way.name: guide.steps(way, kind, url) for way in WAYS.values()},
        address=field(ADDRESS),
        written=connection_url.write(session.values),
        fields=[
            (
                field(name),
                [way.name for way in WAYS.values() if name in way.settings],
            )
            for name in ORDER
        ],
        seldom=SELDOM,
        groups={
            group: [field(setting.name) for setting in settings]
            for group, settings in OTHERS.items()
        },
    )


def _names(way: Way) -> set[str]:
    """Name the settings that have fields for a way to sign in."""
    others = {setting.name for settings in OTHERS.values() for setting in settings}
    return {ADDRESS, *way.settings, *others}


def _take(request: Request) -> Session:
    """Take the fields of the form.

    Raises:
        SettingsError: Some of them can't be taken. The others are.
    """
    session = pages.session_of(request)
    if problems := _change(session, pages.form_of(request)):
        raise SettingsError(" ".join(problems))
    return session


def _take_what_fits(request: Request) -> Session:
    """Take the fields of a form that is about something else."""
    session = pages.session_of(request)
    problems = _change(session, pages.form_of(request))
    session.notices.extend(Notice("error", problem) for problem in problems)
    return session


def _change(session: Session, form: Mapping[str, list[str]]) -> list[str]:
    """Change the settings to the fields of a form; return what is wrong with the others."""
    if WAY not in form:
        return []
    way = WAYS.get(form[WAY][-1])
    if way is None:
        return ["There is no such way to sign in."]
    with session.lock:
        found, problems = fields.changed(session.values, form, _names(way))
        found |= way.fixed
        gone = left_out(way, found)
        session.way = way
        session.change({k: v for k, v in found.items() if k not in gone}, "this page")
        if gone:
            words = f"Removed, because they select another way to sign in: {', '.join(gone)}."
            session.notices.append(Notice("warning", words))
    return problems


def _apply(request: Request) -> Response | None:
    session, screen = _take(request), pages.form_of(request).get(THEN, [""])[-1]
    if screen in pages.SCREENS:
        # The person goes to another screen, which says what is missing there.
        return pages.lead(screen)
    session.settings(for_login=True)
    session.notices.append(Notice("ok", "The fields are taken."))
    return None


def _check(request: Request) -> None:
    _start_checks(_take(request))


def _start_checks(session: Session) -> None:
    """Run the checks in a thread, of the tables that are chosen, if they were read."""
    chosen = [*session.tables.selection] if session.has_tables else []
    values = {**session.values, **({"tables": chosen} if chosen else {})}
    session.checks = CheckRun(values, session.way)
    session.checks.start()


def _sign_in(request: Request) -> Response:
    sign_in.begin(_take(request), request.app.state.access)
    return pages.lead(sign_in.SIGN_IN)


def _code(request: Request) -> Response:
    sign_in.begin_with_code(_take(request))
    return pages.lead(sign_in.SIGN_IN)


def _environments(request: Request) -> None:
    """List the environments that the account may use."""
    session = _take(request)
    if session.way.grant is Grant.REFRESH_TOKEN:
        settings = session.settings(for_login=True)
        if settings.grant is not Grant.REFRESH_TOKEN:
            msg = "Sign in first. Without a service_url, the sign-in lists your environments."
            raise SettingsError(msg)
    found = session.environments = list_environments(session.settings(with_list=True))
    if not found:
        session.notices.append(Notice("warning", "The list has no environments."))


def _choose(request: Request) -> None:
    """Choose an environment of the list."""
    session, url = _take_what_fits(request), pages.form_of(request).get("url", [""])[-1]
    if url not in {each.url for each in session.environments or ()}:
        msg = "The environment is not in the list: list the environments again."
        raise SettingsError(msg)
    session.change({**session.values, ADDRESS: url}, "list of environments")
    _start_checks(session)


def _paste(request: Request) -> None:
    """Fill the fields from a text, once those that were typed are taken."""
    session, form = _take_what_fits(request), pages.form_of(request)
    found = pasted.read(form.get("text", [""])[-1])
    session.change({**session.values, **found.settings}, f"pasted {found.what}")
    session.choose_way()
    filled = ", ".join(found.settings) or "none"
    words = f"From the {found.what}, these settings are filled: {filled}."
    session.notices.append(Notice("ok" if found.settings else "warning", words))
    session.notices.extend(Notice("warning", f"Ignored: {each}") for each in found.ignored)


def _written(request: Request) -> Response:
    """Show the connection URL that the fields mean, and take none of them."""
    session, form = pages.session_of(request), pages.form_of(request)
    way = WAYS.get(form.get(WAY, [""])[-1], session.way)
    found, problems = fields.changed(session.values, form, _names(way))
    if problems:
        raise SettingsError(" ".join(problems))
    values = {**found, **way.fixed}
    gone = left_out(way, values)
    return pages.render(
        request,
        "url.part.html",
        written=connection_url.write({k: v for k, v in values.items() if k not in gone}),
    )


def _checks(request: Request) -> Response:
    return pages.render(request, "checks.answer.html")


ROUTES = [
    pages.page(CONNECT, _show),
    pages.page("/connect/checks", _checks),
    pages.action(CONNECT, CONNECT, _apply),
    pages.page("/connect/url", _written, "POST"),
    pages.action("/connect/check", f"{CONNECT}#checks", _check),
    pages.action("/connect/sign-in", CONNECT, _sign_in, asks=True),
    pages.action("/connect/code", CONNECT, _code, asks=True),
    pages.action("/connect/environments", f"{CONNECT}#environments", _environments, asks=True),
    pages.action("/connect/environment", f"{CONNECT}#checks", _choose),
    pages.action("/connect/paste", CONNECT, _paste),
]
