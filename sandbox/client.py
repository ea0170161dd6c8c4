"""Client of the sandbox: start one from a program, inspect it, and change what it holds.

with running(rows=2_000) as sandbox:
    config = sandbox.settings
    sandbox.insert("account", [{"name": "Litware"}])
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import subprocess
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from sandbox.identity.client import IdentityClient
from sandbox.process import PROJECT, Process, start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    Key = str | Sequence[object]

Row = dict[str, Any]
S = TypeVar("S", bound="Sandbox")
SETTINGS = ("service_url", "token_uri", "client_id", "client_secret", "refresh_token")
__all__ = [
    "PROJECT",
    "Process",
    "Sandbox",
    "SandboxError",
    "Transaction",
    "launch",
    "running",
    "started",
]
_encoder = msgspec.json.Encoder(decimal_format="number")


#: How `running` starts a process. Tests start hundreds of sandboxes and set a faster way.
launch: Callable[[Sequence[str]], Process] = start


def _plain(key: Key) -> str:
    return key if isinstance(key, str) else _encoder.encode(key).decode()


def key_text(key: Key) -> str:
    """Return the key of a row as it is written into a path.

    Args:
        key: The key as text, or the values of its columns in the order of the document.
    """
    return quote(_plain(key))


class SandboxError(RuntimeError):
    """The sandbox did not start, or refused a control request."""


@dataclass(frozen=True)
class Sandbox(IdentityClient):
    """A running sandbox.

    Attributes:
        announced: Everything that the process printed when it was ready.
        process: The process.
    """

    announced: dict[str, str]
    process: Process

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return self.announced["url"]

    @property
    def service_url(self) -> str:
        """URL of the service root."""
        return self.announced["service_url"]

    @property
    def settings(self) -> dict[str, str]:
        """Settings with which the tap reads from the sandbox."""
        return {name: self.announced[name] for name in SETTINGS}

    def insert(self, table: str, rows: Sequence[Row]) -> list[Row]:
        """Insert rows; missing ids, times and version numbers are filled in.

        Args:
            table: Logical name of the table.
            rows: Values by property name. The table of a polymorphic lookup is given as
                `_customerid_value@type`.

        Returns:
            Key of each row.
        """
        found: list[Row] = self.ask("POST", f"rows/{quote(table)}", list(rows))
        return found

    def update(self, table: str, key: Key, values: Row) -> None:
        """Update a row; time of change and version change too, unless they are given."""
        self.ask("PATCH", f"rows/{quote(table)}/{key_text(key)}", values)

    def delete(self, table: str, key: Key) -> None:
        """Delete a row."""
        self.ask("DELETE", f"rows/{quote(table)}/{key_text(key)}")

    def begin(
        self,
        table: str,
        *,
        insert: Sequence[Row] = (),
        update: Mapping[str, Row] | Mapping[tuple[object, ...], Row] | None = None,
        delete: Sequence[Key] = (),
        late: bool = True,
    ) -> Transaction:
        """Begin a transaction: changes that are invisible until they are committed.

        Args:
            table: Logical name of the table.
            insert: Rows to insert.
            update: New values, by the key of the row.
            delete: Keys of rows to delete.
            late: Whether times and version numbers are taken now; otherwise they are taken at the
                commit.

        Returns:
            The transaction. The fault `commit` commits it too, in the middle of a run.
        """
        order: Row = {"insert": list(insert), "late": late}
        order["update"] = {_plain(key): values for key, values in (update or {}).items()}
        order["delete"] = [_plain(key) for key in delete]
        begun = self.ask("POST", f"transactions/{quote(table)}", order)
        return Transaction(self, begun["transaction"], begun["keys"])

    def add_column(self, table: str, column: str, edm_type: str = "Edm.String") -> None:
        """Add a column to a table; it is empty in all rows."""
        self.ask("POST", f"columns/{quote(table)}/{quote(column)}", {"type": edm_type})

    def retype_column(self, table: str, column: str, edm_type: str) -> None:
        """Change the type of a column; values are converted, and rows keep their versions."""
        self.ask("PATCH", f"columns/{quote(table)}/{quote(column)}", {"type": edm_type})

    def drop_column(self, table: str, column: str) -> None:
        """Remove a column from a table."""
        self.ask("DELETE", f"columns/{quote(table)}/{quote(column)}")

    def relabel_column(self, table: str, column: str, english: str, german: str) -> None:
        """Change the display name of a column in each language."""
        order = {"english": english, "german": german}
        self.ask("PUT", f"labels/{quote(table)}/{quote(column)}", order)

    def add_option(self, table: str, column: str, value: int, english: str, german: str) -> None:
        """Add a value to a choice."""
        order = {"value": value, "english": english, "german": german}
        self.ask("POST", f"options/{quote(table)}/{quote(column)}", order)

    def add_table(self, table: str) -> None:
        """Add a table with an id, a name and the usual timestamps, and without rows."""
        self.ask("POST", f"tables/{quote(table)}")

    def drop_table(self, table: str) -> None:
        """Remove a table from the organisation."""
        self.ask("DELETE", f"tables/{quote(table)}")

    def track_changes(self, table: str, *, on: bool) -> None:
        """Switch the change tracking of a table on or off."""
        self.ask("PATCH", f"tables/{quote(table)}", {"change_tracking": on})

    def rows(self, table: str) -> list[Row]:
        """Return every stored row with all its columns, ordered by key, with exact decimals."""
        found: list[Row] = self.ask("GET", f"rows/{quote(table)}")
        return found

    def tables(self) -> list[Row]:
        """Return name, entity set, key, columns and number of rows of every table."""
        found: list[Row] = self.ask("GET", "tables")
        return found

    def requests(self) -> list[Row]:
        """Return the requests served so far."""
        found: list[Row] = self.ask("GET", "requests")
        return found

    def clear_requests(self) -> None:
        """Clear the log of requests."""
        self.ask("DELETE", "requests")

    def fault(self, path: str = "", **what: Any) -> None:
        """Order a fault.

        Args:
            path: Text or regular expression that selects the requests.
            **what: Further attributes of `sandbox.faults.fault.Fault`.
        """
        self.ask("POST", "faults", {"path": path, **what})

    def hits(self) -> list[int]:
        """Return how many requests each fault has hit, in the order of the faults."""
        found: list[int] = self.ask("GET", "faults")
        return found

    def clear_faults(self) -> None:
        """Remove all faults."""
        self.ask("DELETE", "faults")

    def expire_delta_tokens(self) -> None:
        """Expire all delta tokens: 0x80044352."""
        self.ask("POST", "deltas/expire")

    def expire_version_stamps(self) -> None:
        """Expire all version stamps of `RetrieveMetadataChanges`: 0x80044352."""
        self.ask("POST", "stamps/expire")

    def configure(self, **switches: Any) -> Row:
        """Set switches.

        Args:
            **switches: Those that `switches` returns. For Dataverse: attributes of
                `sandbox.dataverse.switches.Switches`, and `token_lifetime`,
                `single_use_refresh_tokens`, `resource`, `device_code_lifetime`,
                `device_code_interval`, `user_language` (1033 or 1031), `clock` (a time to stop at),
                `clock_offset` (seconds ahead), `delta_token_days`, `stamp_days`, `delta_links`,
                `delta_links_beside_annotations`, `more_records_without_link`, `guid_comparison`,
                `unsortable_tables` (of `sandbox.query.sorting.Sorting`),
                `virtual_provider` (one of `sandbox.dataverse.virtual.BEHAVIORS`),
                `virtual_provider_status`.

        Returns:
            Previous values of the switches, to restore them.
        """
        before: Row = self.ask("POST", "configure", switches)
        return before

    def switches(self) -> Row:
        """Return the values of all switches."""
        found: Row = self.ask("GET", "configure")
        return found

    @contextlib.contextmanager
    def unchanged(self) -> Iterator[None]:
        """Clear the log of requests; at the end, reset faults and switches."""
        self.clear_requests()
        before = self.switches()
        try:
            yield
        finally:
            self.clear_faults()
            self.configure(**before)

    def ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401  - JSON
        """Send a control request and return its response.

        Args:
            method: HTTP method.
            path: Path below /sandbox/.
            body: Body, which is sent as JSON.

        Raises:
            SandboxError: The sandbox refused the request.
        """
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
    """A transaction that is not committed.

    Attributes:
        sandbox: The sandbox.
        number: Number of the transaction.
        keys: Key of each inserted row, if the transaction is late.
    """

    sandbox: Sandbox
    number: int
    keys: list[Row]

    def commit(self) -> None:
        """Commit the transaction: its changes become visible."""
        self.sandbox.ask("PUT", f"transactions/{self.number}")

    def roll_back(self) -> None:
        """Roll back the transaction."""
        self.sandbox.ask("DELETE", f"transactions/{self.number}")


@contextlib.contextmanager
def started(  # noqa: PLR0913  - what can be said on the command line
    service: str,
    made: Callable[[dict[str, str], Process], S],
    rows: int = 2_000,
    *,
    seed: int = 1,
    csdl: Path | None = None,
    table: str = "",
    port: int = 0,
    sizes: Mapping[str, int] | None = None,
) -> Iterator[S]:
    """Start a sandbox in a process of its own, and always stop it at the end.

    Args:
        service: Service to imitate: `dataverse`, `finance-operations` or `business-central`.
        made: Makes the client, from what the process announces and the process.
        rows: Number of rows over all tables.
        seed: Seed of the rows.
        csdl: CSDL document to serve in place of the sandbox's own model.
        table: Name of a table that gets all rows.
        port: Port to listen on. 0 takes a free one.
        sizes: Number of rows by table, whatever the table's share of `rows`.

    Raises:
        SandboxError: The sandbox did not start.
    """
    arguments = ["--announce-json", "--port", str(port), "--service", service]
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
        yield made(json.loads(line), process)
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


#: Start a sandbox that imitates Dataverse; the further arguments are those of `started`.
running = functools.partial(started, "dataverse", Sandbox)
