"""Command line of the sandbox: `python -m sandbox`."""

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox import app
from sandbox.data import filling
from sandbox.data.filling import Contents, UnknownTableError
from sandbox.http import server
from sandbox.identity import tokens
from sandbox.identity.tokens import Authority

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Rows of the other tables when one table gets all rows.
SURROUNDINGS = 2_000


def settings(origin: str, path: str) -> dict[str, str]:
    """Return what a client needs to read from the sandbox.

    Args:
        origin: Scheme, host and port of the sandbox.
        path: Path of the service root.
    """
    return {
        "url": origin,
        "service_url": f"{origin}{path}",
        "token_uri": f"{origin}/{tokens.TENANT}/oauth2/v2.0/token",
        "client_id": tokens.CLIENT,
        "client_secret": tokens.SECRET,
        "refresh_token": tokens.REFRESH_TOKEN,
        "scope": f"{origin}/.default",
        "authorization_uri": f"{origin}/{tokens.TENANT}/oauth2/v2.0/authorize",
        "device_authorization_uri": f"{origin}/{tokens.TENANT}/oauth2/v2.0/devicecode",
        "tenant_id": tokens.TENANT,
        "public_client_id": tokens.PUBLIC_CLIENT,
        "public_refresh_token": tokens.PUBLIC_REFRESH_TOKEN,
    }


def _readable(found: dict[str, str], rows: int, kind: app.ServiceKind) -> str:
    names = ("service_url", "token_uri", "client_id", "client_secret", "refresh_token")
    given = {**{name: found[name] for name in names}, **kind.settings}
    # A public client, which a person signs in with.
    app = {**given, "client_id": found["public_client_id"], "token_store": "sandbox-token.json"}
    del app["client_secret"], app["refresh_token"]
    return (
        f"A local {kind.title} with {rows:,} rows is at {found['url']}\n"
        "Leave it running, and go on in another terminal.\n\n"
        f"# config.json without a sign-in\n{json.dumps(given, indent=2)}\n\n"
        f"# config.json to sign in with dynamics365 login\n{json.dumps(app, indent=2)}\n\n"
        f"# .env without a sign-in\n{_env_file(given)}\n\n"
        f"# .env to sign in\n{_env_file(app)}\n\n"
        f"{kind.note}Press Ctrl-C to stop it.\n"
    )


def _env_file(given: Mapping[str, object]) -> str:
    return "\n".join(
        f"TAP_DYNAMICS365_{name.upper()}={_in_environment(value)}" for name, value in given.items()
    )


def _in_environment(value: object) -> str:
    """Return a setting as a line of a file `.env` has it."""
    return value if isinstance(value, str) else shlex.quote(json.dumps(value))


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument(
        "--service", choices=[*app.KINDS], default=app.DATAVERSE, help="service to imitate"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port; 0 takes a free one")
    parser.add_argument("--rows", type=int, default=50_000, help="rows over all tables")
    parser.add_argument(
        "--table", default="", help="logical name, or entity set, of the table that gets all rows"
    )
    parser.add_argument(
        "--size", action="append", default=[], metavar="TABLE=ROWS", help="rows of one table"
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="seed of the rows: the same seed gives the same rows"
    )
    parser.add_argument("--csdl", type=Path, help="CSDL document to serve, .xml or .xml.gz")
    parser.add_argument(
        "--no-compression",
        action="store_true",
        help="send no gzip, which costs more time than the page",
    )
    parser.add_argument(
        "--announce-json", action="store_true", help="print the settings as one line of JSON"
    )
    return parser.parse_args(arguments)


def _contents(given: argparse.Namespace) -> Contents:
    sizes = {given.table: given.rows} if given.table else {}
    sizes |= {name: int(rows) for name, _, rows in (size.partition("=") for size in given.size)}
    rows = min(given.rows, SURROUNDINGS) if given.table else given.rows
    source = app.KINDS[given.service].source
    return Contents(source, rows, given.seed, given.csdl, tuple(sizes.items()))


def prepare(arguments: Sequence[str]) -> None:
    """Invent the rows of a sandbox before its process is forked from this one.

    Args:
        arguments: Arguments of the command line.
    """
    # The forked process reports an unknown table.
    with contextlib.suppress(UnknownTableError):
        filling.keep(_contents(_arguments(arguments)))


def _no_port(host: str, port: int, error: OSError) -> str:
    """Say why the sandbox can't listen on its port."""
    if error.errno != errno.EADDRINUSE:
        return f"The sandbox can't listen on {host}, port {port}: {error.strerror}.\n"
    return (
        f"Port {port} is in use, perhaps by another sandbox. Stop that program, or take another "
        f"port: make sandbox PORT={port + 1}, or python -m sandbox --port {port + 1}.\n"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Start the sandbox and serve until SIGTERM or SIGINT.

    Args:
        arguments: Arguments of the command line.

    Returns:
        Exit code.
    """
    given = _arguments(arguments)
    try:
        listening = server.listen(given.host, given.port)
    except OSError as error:
        sys.stderr.write(_no_port(given.host, given.port, error))
        return 1
    origin = f"http://{given.host}:{listening.getsockname()[1]}"
    try:
        store = filling.filled(_contents(given))
    except UnknownTableError as error:
        listening.close()
        sys.stderr.write(f"{error}\n")
        return 2
    try:
        kind = app.KINDS[given.service]
        service = kind.service(store, Authority())
        changes = kind.control(service)
        if given.no_compression:
            place, attribute = changes.switches()["compress"]
            setattr(place, attribute, False)

        def announce() -> None:
            found = settings(origin, kind.path)
            text = _readable(found, given.rows, kind)
            sys.stdout.write(json.dumps(found) + "\n" if given.announce_json else text)
            sys.stdout.flush()

        server.serve(app.create(service, changes, server), listening, announce)
        service.close()
    finally:
        store.close()
        listening.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
