"""Start a sandbox from a program, look behind it, and change what it holds.

with running(rows=2_000) as sandbox:
    config = sandbox.settings
    sandbox.insert("account", [{"name": "Litware"}])
"""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlsplit

import msgspec

from sandbox.identity.errors import INVALID_GRANT, TokenError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

Row = dict[str, Any]
PROJECT = Path(__file__).resolve().parent.parent
SETTINGS = ("service_url", "token_uri", "client_id", "client_secret", "refresh_token")
_encoder = msgspec.json.Encoder(decimal_format="number")


class Process(Protocol):
    """A process that serves, as `subprocess.Popen` has it."""

    @property
    def stdout(self) -> IO[bytes] | None:
        """Where it says that it is ready."""

    @property
    def returncode(self) -> int | None:
        """The exit code, once its end was waited for."""

    def send_signal(self, sig: int, /) -> None:
        """Send a signal."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""


def start(arguments: Sequence[str]) -> Process:
    """Start `python -m sandbox`, with a pipe for its standard output."""
    command = [sys.executable, "-m", "sandbox", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=PROJECT)  # noqa: S603  - our own


#: How `running` starts a process. Tests, which start hundreds, put a faster way here.
launch: Callable[[Sequence[str]], Process] = start


class SandboxError(RuntimeError):
    """The sandbox did not start, or could not follow an order."""


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox.

    Attributes:
        announced: everything it printed when it was ready.
        process: its process.
    """

    announced: dict[str, str]
    process: Process

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return self.announced["url"]

    @property
    def service_url(self) -> str:
        """The service root."""
        return self.announced["service_url"]

    @property
    def settings(self) -> dict[str, str]:
        """The settings with which the tap reads from it."""
        return {name: self.announced[name] for name in SETTINGS}

    def insert(self, table: str, rows: Sequence[Row]) -> list[Row]:
        """Add rows; ids, times and version numbers are filled in where not given.

        Args:
            table: logical name.
            rows: by property names; a polymorphic lookup's table is given as
                `_customerid_value@type`.

        Returns:
            The key of each row.
        """
        found: list[Row] = self.ask("POST", f"rows/{quote(table)}", list(rows))
        return found

    def update(self, table: str, key: str, values: Row) -> None:
        """Change a row; `modifiedon` and `versionnumber` move unless given."""
        self.ask("PATCH", f"rows/{quote(table)}/{quote(key)}", values)

    def delete(self, table: str, key: str) -> None:
        """Remove a row."""
        self.ask("DELETE", f"rows/{quote(table)}/{quote(key)}")

    def begin(
        self,
        table: str,
        *,
        insert: Sequence[Row] = (),
        update: Mapping[str, Row] | None = None,
        delete: Sequence[str] = (),
        late: bool = True,
    ) -> Transaction:
        """Make changes that nobody sees yet.

        Args:
            table: logical name.
            insert: rows to be added.
            update: new values, by the rows' keys.
            delete: keys of rows to be removed.
            late: whether times and version numbers are taken now; else when it is committed.

        Returns:
            What commits them; the fault `commit` does so too, in the middle of a run.
        """
        order: Row = {"insert": list(insert), "update": dict(update or {})}
        order |= {"delete": list(delete), "late": late}
        begun = self.ask("POST", f"transactions/{quote(table)}", order)
        return Transaction(self, begun["transaction"], begun["keys"])

    def add_column(self, table: str, column: str, edm_type: str = "Edm.String") -> None:
        """Give a table one more column, empty in all rows."""
        self.ask("POST", f"columns/{quote(table)}/{quote(column)}", {"type": edm_type})

    def retype_column(self, table: str, column: str, edm_type: str) -> None:
        """Give a column another type; its values are converted, rows keep their versions."""
        self.ask("PATCH", f"columns/{quote(table)}/{quote(column)}", {"type": edm_type})

    def drop_column(self, table: str, column: str) -> None:
        """Take a column from a table."""
        self.ask("DELETE", f"columns/{quote(table)}/{quote(column)}")

    def relabel_column(self, table: str, column: str, english: str, german: str) -> None:
        """Give a column another display name in each language."""
        order = {"english": english, "german": german}
        self.ask("PUT", f"labels/{quote(table)}/{quote(column)}", order)

    def add_option(self, table: str, column: str, value: int, english: str, german: str) -> None:
        """Give a choice one more value."""
        order = {"value": value, "english": english, "german": german}
        self.ask("POST", f"options/{quote(table)}/{quote(column)}", order)

    def add_table(self, table: str) -> None:
        """Add a table with an id, a name and the usual stamps, and no rows."""
        self.ask("POST", f"tables/{quote(table)}")

    def drop_table(self, table: str) -> None:
        """Take a table from the organisation."""
        self.ask("DELETE", f"tables/{quote(table)}")

    def track_changes(self, table: str, *, on: bool) -> None:
        """Switch a table's change tracking on or off."""
        self.ask("PATCH", f"tables/{quote(table)}", {"change_tracking": on})

    def rows(self, table: str) -> list[Row]:
        """Every stored row with all its columns, in the order of the key, decimals exact."""
        found: list[Row] = self.ask("GET", f"rows/{quote(table)}")
        return found

    def tables(self) -> list[Row]:
        """Name, entity set, key, columns and count of rows of every table."""
        found: list[Row] = self.ask("GET", "tables")
        return found

    def requests(self) -> list[Row]:
        """The requests served so far."""
        found: list[Row] = self.ask("GET", "requests")
        return found

    def clear_requests(self) -> None:
        """Begin a new log of requests."""
        self.ask("DELETE", "requests")

    def fault(self, path: str = "", **what: Any) -> None:
        """Order a fault; the arguments are the attributes of `sandbox.faults.fault.Fault`."""
        self.ask("POST", "faults", {"path": path, **what})

    def hits(self) -> list[int]:
        """How many requests each fault has hit, in the order in which they were ordered."""
        found: list[int] = self.ask("GET", "faults")
        return found

    def clear_faults(self) -> None:
        """Take back all faults."""
        self.ask("DELETE", "faults")

    def expire_tokens(self) -> None:
        """Let every access token have expired."""
        self.ask("POST", "tokens/expire")

    def expire_delta_tokens(self) -> None:
        """Let every delta token have expired: 0x80044352."""
        self.ask("POST", "deltas/expire")

    def expire_version_stamps(self) -> None:
        """Let every stamp of `RetrieveMetadataChanges` have expired: 0x80044352."""
        self.ask("POST", "stamps/expire")

    def revoke(self, refresh_token: str, reason: str = "revoked") -> None:
        """Refuse a refresh token, because it is `revoked`, `inactive` or `expired`."""
        self.ask("POST", "tokens/revoke", {"refresh_token": refresh_token, "reason": reason})

    def refuse_sign_in(
        self, code: int, error: str = INVALID_GRANT, status: int = 400, **fault: Any
    ) -> None:
        """Let the token endpoint refuse the next request with a code of Entra ID's.

        Args:
            code: such as 50076.
            error: the error of OAuth 2.0 that goes with it.
            status: of the answer.
            **fault: more of the attributes of `sandbox.faults.fault.Fault`.
        """
        body = TokenError(error, code, "Refused, as ordered.", status).body()
        self.fault("/token", method="POST", status=status, body=body, **fault)

    def issued(self) -> list[str]:
        """Every token and code that was issued so far, and every assertion that was sent."""
        found: list[str] = self.ask("GET", "tokens")
        return found

    def register_certificate(self, certificate: str) -> str:
        """Let the confidential app sign in with a certificate.

        Args:
            certificate: its text in PEM.

        Returns:
            The thumbprint, as the page of the app shows it.
        """
        thumbprint: str = self.ask("POST", "certificates", {"certificate": certificate})
        return thumbprint

    def trust(self, issuer: str, subject: str, public_key: str) -> None:
        """Let the confidential app sign in with what another issuer signs (workload identity).

        Args:
            issuer: the claim `iss` of its tokens.
            subject: their claim `sub`.
            public_key: in PEM, of the key that signs them.
        """
        order = {"issuer": issuer, "subject": subject, "public_key": public_key}
        self.ask("POST", "federations", {"client": self.announced["client_id"], **order})

    def approve_device(self, user_code: str) -> None:
        """Sign in where a device shows a code, without a browser."""
        self.ask("POST", "devices", {"user_code": user_code, "approved": True})

    def decline_device(self, user_code: str) -> None:
        """Cancel where a device shows a code, without a browser."""
        self.ask("POST", "devices", {"user_code": user_code, "approved": False})

    def configure(self, **switches: Any) -> Row:
        """Set switches: the attributes of `sandbox.dataverse.switches.Switches`, and
        `token_lifetime`, `single_use_refresh_tokens`, `resource`, `device_code_lifetime`,
        `device_code_interval`,
        `user_language` (1033 or 1031), `clock` (a moment to stand still at), `clock_offset`
        (seconds to be ahead), `delta_token_days`, `stamp_days`, `delta_links`,
        `delta_links_beside_annotations`, `more_records_without_link`, `guid_comparison`,
        `virtual_provider` (one of `sandbox.dataverse.virtual.MANNERS`), `virtual_provider_status`.

        Returns:
            What they were before, to be set again.
        """  # noqa: D205  - the list of the switches is the summary
        before: Row = self.ask("POST", "configure", switches)
        return before

    def ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401  - JSON
        """The answer to an order, at a path below /sandbox/."""
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=120)
        with contextlib.closing(connection):
            content = None if body is None else _encoder.encode(body)
            connection.request(method, f"/sandbox/{path}", content)
            response = connection.getresponse()
            answer = json.loads(response.read(), parse_float=Decimal)
        if response.status != http.client.OK:
            message = f"{method} /sandbox/{path}: {answer['error']}"
            raise SandboxError(message)
        return answer


@dataclass(frozen=True)
class Transaction:
    """Changes that are made and not committed.

    Attributes:
        keys: the key of each row that it inserts, if it is late.
    """

    sandbox: Sandbox
    number: int
    keys: list[Row]

    def commit(self) -> None:
        """Let everybody see the changes."""
        self.sandbox.ask("PUT", f"transactions/{self.number}")

    def roll_back(self) -> None:
        """Let the changes never have been."""
        self.sandbox.ask("DELETE", f"transactions/{self.number}")


@contextlib.contextmanager
def running(  # noqa: PLR0913  - what can be said on the command line
    rows: int = 2_000,
    seed: int = 1,
    csdl: Path | None = None,
    table: str = "",
    port: int = 0,
    *,
    sizes: Mapping[str, int] | None = None,
) -> Iterator[Sandbox]:
    """Start a sandbox in a process of its own, and stop it at the end in any case.

    Args:
        rows: how many over all tables.
        seed: what they follow from.
        csdl: a CSDL document to serve in place of the sandbox's own organisation.
        table: a table that gets all the rows.
        port: 0 takes a free one.
        sizes: how many rows a table gets, whatever its share of `rows`.

    Raises:
        SandboxError: it did not start.
    """
    arguments = ["--announce-json", "--port", str(port)]
    arguments += ["--rows", str(rows), "--seed", str(seed)]
    arguments += ["--csdl", str(csdl.absolute())] if csdl else []
    arguments += ["--table", table] if table else []
    for name, size in (sizes or {}).items():
        arguments += ["--size", f"{name}={size}"]
    process = launch(arguments)
    try:
        line = process.stdout.readline() if process.stdout else b""
        if not line:
            message = f"The sandbox ended before it was ready, with code {process.wait()}."
            raise SandboxError(message)
        yield Sandbox(json.loads(line), process)
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()
