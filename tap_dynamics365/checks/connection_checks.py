"""Connection checks: settings, token store, address, clock, sign-in and service."""

from __future__ import annotations

import logging
import os
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

from tap_dynamics365.auth.token_store import TokenStore
from tap_dynamics365.checks.checklist import Finding, Status
from tap_dynamics365.connection import connect
from tap_dynamics365.errors import ServiceError, SignInError, TokenStoreError
from tap_dynamics365.http.session import failure_reason
from tap_dynamics365.odata.client import with_options
from tap_dynamics365.singer import process
from tap_dynamics365.tap import TapDynamics365

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_dynamics365.checks.checklist import Checklist
    from tap_dynamics365.odata.client import ODataClient
    from tap_dynamics365.services.kind import Identity, Service

# Seconds to wait for the first answer. A run waits longer.
PATIENCE = 30
# Seconds by which the clocks may differ. A sign-in with a certificate allows 5 minutes.
MOST_SKEW = 60
VERSION = re.compile(r"/(v\d+(?:\.\d+)?)/$")

CLOCK = "Set the clock of this machine, for example by NTP: a sign-in with a certificate needs it."
ADDRESS = "Check service_url, and proxy_host if requests need a proxy."
SETTINGS = "See docs/settings.md."
SIGN_IN = "See docs/authentication.md."
SERVICE = "Check that the account is a user of the environment and has a role there."
STORE = "Set token_store to a file in a folder that you may write to."


class ConnectionChecks:
    """The checks up to the first answer to a signed request.

    Args:
        read_settings: Reads the settings of the tap.
        read_catalog: Reads the catalog of the tap; None if there is none.

    Attributes:
        identity: Who the service says that has signed in; None before it has.
    """

    def __init__(
        self,
        read_settings: Callable[[], dict[str, Any]],
        read_catalog: Callable[[], dict[str, Any] | None] = lambda: None,
    ) -> None:
        self._read_settings = read_settings
        self._read_catalog = read_catalog
        self.identity: Identity | None = None
        self._tap: TapDynamics365 | None = None
        self._date = ""
        self._answered_at = datetime.now(UTC)

    def run(self, checklist: Checklist) -> TapDynamics365 | None:
        """Run the checks.

        Args:
            checklist: Where to add them.

        Returns:
            The tap; None if there is none with these settings.
        """
        checklist.run("settings", self._settings, SETTINGS)
        if self._has_token_store:
            checklist.run("token_store", self._token_store, STORE, after=("settings",))
        checklist.run("address", self._address, ADDRESS, after=("settings",))
        checklist.run("clock", self._clock, CLOCK, after=("address",))
        checklist.run("sign-in", self._sign_in, SIGN_IN, after=("token_store", "address"))
        checklist.run("service", self._service, SERVICE, after=("sign-in",))
        return self._tap

    @property
    def tap(self) -> TapDynamics365:
        """The tap, once the check of the settings has succeeded."""
        if self._tap is None:
            msg = "the check of the settings has failed"
            raise RuntimeError(msg)
        return self._tap

    @property
    def _has_token_store(self) -> bool:
        return self._tap is not None and bool(self._tap.settings.token_store)

    @property
    def _connected(self) -> Service:
        return self.tap.service

    def _settings(self) -> Finding:
        config, catalog = self._read_settings(), self._read_catalog()
        # What the tap would log is in the finding.
        logging.disable(logging.WARNING)
        try:
            tap = TapDynamics365(config=config, catalog=catalog, setup_mapper=False)
        finally:
            logging.disable(logging.NOTSET)
        tap.metrics_logger.setLevel(logging.WARNING)
        # The tap itself would also ask the service, if its URL is incomplete.
        process.hide_secrets()
        tap.service = connect(tap.settings)
        self._tap = tap
        where = tap.settings.service_url
        if tap.settings.unknown:
            return Finding(" ".join(tap.settings.unknown), Status.WARNING)
        return Finding(f"For {tap.service.kind.name} at {where}.")

    def _token_store(self) -> Finding:
        store = TokenStore(self.tap.settings.token_store or "")
        with store.locked():
            store.check()
        if not os.access(store.path.parent, os.W_OK):
            msg = f"The folder {store.path.parent} of token_store can't be written to."
            raise TokenStoreError(msg)
        return Finding(f"{store.path} can be written.")

    def _address(self) -> Finding:
        client = self._connected.client
        try:
            response = _reach(client)
        except requests.RequestException as error:
            msg = f"The service can't be reached: {failure_reason(error)}"
            raise ServiceError(msg) from error
        self._date, self._answered_at = response.headers.get("Date", ""), datetime.now(UTC)
        parts = urlsplit(client.url)
        tls = "with TLS" if parts.scheme == "https" else "without TLS"
        return Finding(f"{parts.netloc} answers, {tls}.")

    def _clock(self) -> Finding:
        try:
            moment = parsedate_to_datetime(self._date)
        except (ValueError, OverflowError):
            return Finding("The service does not say what time it is.")
        there = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        ahead = (self._answered_at - there).total_seconds()
        if abs(ahead) <= MOST_SKEW:
            return Finding(f"Less than {MOST_SKEW} s from the time of the service.")
        way = "ahead of" if ahead > 0 else "behind"
        words = f"The clock of this machine is {abs(ahead):,.0f} s {way} that of the service."
        return Finding(words, Status.WARNING)

    def _sign_in(self) -> Finding:
        client = self._connected.client
        client.sign_in()
        signer = client.signer
        left = signer.lifetime
        if left is not None and left <= 0:
            raise SignInError(signer.advice(client.url))
        account = signer.signed_in_as or "an account that the access token does not name"
        words = f"As {account}, with {signer.way}."
        if left is not None:
            words += f" The access token is valid for {_duration(left)}."
        if signer.tenant:
            words += f" Tenant: {signer.tenant}."
        return Finding(words)

    def _service(self) -> Finding:
        service = self._connected
        service.kind.check_address(service.client)
        found = service.kind.who_am_i(service.client)
        self.identity = found.known_as(service.client.signer.signed_in_as or "")
        version = VERSION.search(service.client.url)
        words = f"{service.kind.name}{f' {version[1]}' if version else ''} answers."
        for what, name in (("User", found.user), ("Organization", found.organization)):
            if name:
                words += f" {what}: {name}."
        return Finding(words)


def _reach(client: ODataClient) -> requests.Response:
    """Send a request that is not signed, and is not retried. Any answer will do."""
    url = with_options(client.url, client.url_options)
    patience = min(PATIENCE, client.timeout or PATIENCE)
    with client.session.get(url, timeout=patience, stream=True) as response:
        return response


def _duration(seconds: float) -> str:
    """Say how long something lasts."""
    minutes = int(seconds // 60)
    if minutes < 2:  # noqa: PLR2004 - one minute is too coarse
        return f"{seconds:.0f} s"
    return f"{minutes} minutes"
