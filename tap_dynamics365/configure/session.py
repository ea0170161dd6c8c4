"""Session: what the page holds in memory. Nothing of it is on the disk before it is saved."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import RLock
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from tap_dynamics365.config_files import meltano_yml
from tap_dynamics365.config_files.found import Found
from tap_dynamics365.config_files.meltano_yml import Plugin
from tap_dynamics365.configure import ways
from tap_dynamics365.configure.opened import Opened
from tap_dynamics365.configure.pasted import expanded, fitting
from tap_dynamics365.errors import InputError
from tap_dynamics365.services.registry import complete_url, with_directory
from tap_dynamics365.settings import Settings
from tap_dynamics365.settings.config_schema import CONFIG_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tap_dynamics365.config_files.replication import Replication
    from tap_dynamics365.configure.check_run import CheckRun
    from tap_dynamics365.configure.pending import SignIn
    from tap_dynamics365.configure.plan_run import PlanRun
    from tap_dynamics365.configure.shown import Shown
    from tap_dynamics365.configure.table_list import TableList
    from tap_dynamics365.configure.ways import Way
    from tap_dynamics365.services.directory import Environment
    from tap_dynamics365.services.kind import Identity, Service


ADDRESS = "service_url"
# A project without a meltano.yml, or without the tap in it.
NOTHING = Plugin({}, None, {}, [])


class Notice(NamedTuple):
    """What the last form did.

    Attributes:
        kind: Whether it worked.
        text: One or two sentences.
    """

    kind: Literal["ok", "warning", "error"]
    text: str


class Kept(NamedTuple):
    """What a person sets and chooses, at one time.

    Attributes:
        values: The settings by name.
        rules: The rules that choose tables and columns; None before the tables were read.
        replication: The replication of tables.
    """

    values: Mapping[str, Any]
    rules: tuple[str, ...] | None
    replication: Mapping[str, Replication]


@dataclass
class Session:
    """The one session of a server.

    Attributes:
        project: The folder of the person's project.
        values: The settings by name. Secrets are among them, and no page shows one.
        origins: Where each value is from, by setting name.
        lock: Held while the session is changed, and not while a service is asked.
        planning: Held while a plan is made.
        way: The way to sign in that is chosen.
        notices: What the last form did.
        environments: The environments that the account may use; None if they were not listed.
        identity: Who has signed in, as the service said; None before it has.
        sign_in: The sign-in of a person that goes on or has ended; None if there was none.
        checks: The checks of these settings; None if there were none.
        queries: The URLs of the pages that a query has led to, by its path.
        replication: The replication of tables, as far as it was chosen on the page.
        plan: The plan of the choice; None if there is none yet.
        shown: The changes that the page has shown last, by the file that was asked for.
    """

    project: Path
    values: dict[str, Any] = field(repr=False)
    origins: dict[str, str] = field(default_factory=dict)
    lock: RLock = field(default_factory=RLock)
    planning: RLock = field(default_factory=RLock)
    way: Way = field(init=False)
    notices: list[Notice] = field(default_factory=list)
    environments: Sequence[Environment] | None = None
    identity: Identity | None = None
    sign_in: SignIn | None = None
    checks: CheckRun | None = None
    queries: dict[str, list[str]] = field(default_factory=dict, repr=False)
    replication: dict[str, Replication] = field(default_factory=dict)
    plan: PlanRun | None = None
    shown: dict[str, Shown] = field(default_factory=dict, repr=False)
    _rules: Sequence[str] | None = None
    _opened: Opened = field(default_factory=Opened, repr=False)
    _saved: Kept = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Replace a connection URL by its properties, and find the way to sign in."""
        before = self.values
        self.values, reasons = fitting(expanded(Found(before, [])).settings)
        self.notices = [Notice("warning", f"Ignored: {reason}") for reason in reasons]
        for name in self.values.keys() - before.keys():
            self.origins[name] = "connection_url"
        self.choose_way()
        self.saved()

    def saved(self) -> None:
        """Note that the files of the project have all that is set and chosen."""
        self._saved = self._kept

    @property
    def is_saved(self) -> bool:
        """Whether nothing was set or chosen since the page began, or wrote a file."""
        return self._saved == self._kept

    @property
    def _kept(self) -> Kept:
        """What a person sets and chooses."""
        opened = self._opened.tables
        rules = self._rules if opened is None else opened.rules
        return Kept(self.values, None if rules is None else tuple(rules), {**self.replication})

    def change(self, values: Mapping[str, Any], origin: str) -> None:
        """Replace the settings. What was known of the service goes if a setting changes.

        Args:
            values: All values by setting name.
            origin: Where new values are from.
        """
        with self.lock:
            changed = [name for name, each in values.items() if self.values.get(name) != each]
            self.origins = {**self.origins, **dict.fromkeys(changed, origin)}
            if dict(values) != self.values:
                self.forget()
            if values.get(ADDRESS) != self.values.get(ADDRESS):
                self._rules, self.replication = None, {}
            self.values = dict(values)

    def forget(self) -> None:
        """Forget what is known of the service. The rules that choose its tables stay."""
        if self._opened.tables is not None:
            self._rules = self._opened.tables.rules
        self._opened = Opened()
        self.checks = self.plan = self.identity = None
        self.queries, self.shown = {}, {}

    def take_notices(self) -> list[Notice]:
        """Return what the last form did, to show it once."""
        notices, self.notices = self.notices, []
        return notices

    def choose_way(self) -> None:
        """Choose the way to sign in that the settings select."""
        self.way = ways.way_of(self.values)

    def settings(
        self, *, with_list: bool = False, for_login: bool = False, start: str = ""
    ) -> Settings:
        """Check the settings.

        Args:
            with_list: Whether an environment may be missing. The list of environments is meant
                then.
            for_login: Whether a way to sign in may be missing too.
            start: A date in place of the setting `start_date`; empty for none.

        Raises:
            SettingsError: A setting is missing or wrong.
        """
        values = with_directory(self.values) if with_list or for_login else self.values
        if start:
            values = {**values, "start_date": start}
        if not for_login:
            ways.check(self.way, values)
        return Settings.from_config(
            values, CONFIG_SCHEMA, complete_url=complete_url, for_login=for_login
        )

    @property
    def service(self) -> Service:
        """The service. It is opened once for all pages.

        Raises:
            Dynamics365Error: It can't be opened.
        """
        with self.lock:
            opened, settings = self._opened, self.settings()
        return opened.service(settings)

    @property
    def account(self) -> str:
        """Who has signed in, and where, in a few words; empty before the service has said so."""
        found = self.identity or (self.checks and self.checks.identity)
        return found.page.removesuffix(".") if found else ""

    @property
    def is_connected(self) -> bool:
        """Whether the service has answered a signed request with these settings."""
        return bool(self.account) or self.has_tables

    @property
    def has_tables(self) -> bool:
        """Whether the tables of the service were read."""
        return self._opened.tables is not None

    @property
    def tables(self) -> TableList:
        """The tables of the service. They are read once for all pages.

        Raises:
            Dynamics365Error: The service can't be opened, or its tables can't be read.
        """
        with self.lock:
            opened, settings = self._opened, self.settings()
        return opened.tables or opened.read(settings, self.project, self._begin)

    def is_current(self, service: Service) -> bool:
        """Tell whether the settings are still those that a service was opened with.

        Args:
            service: The service.
        """
        return self._opened.has_opened(service)

    def _begin(self, found: TableList) -> None:
        """Choose tables by the rules that were known before the tables were read."""
        if self._rules is None:
            own = self._in_project
            self._rules = own.rules
            chosen = meltano_yml.replication(own.metadata, found.lines)
            self.replication = {**chosen, **self.replication}
        if self._rules is not None:
            found.follow(self._rules)
        if self._saved.rules is None:
            # What the page begins with is not the choice of a person.
            kept = Kept(self._saved.values, tuple(found.rules), {**self.replication})
            self._saved = kept

    @property
    def _in_project(self) -> Plugin:
        """What meltano.yml of the project says. One that can't be read is a matter of Save."""
        try:
            return meltano_yml.read(self.project) or NOTHING
        except InputError:
            return NOTHING
