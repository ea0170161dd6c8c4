"""Opening: which destination the option `--to` names."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tap_dynamics365.errors import InputError

if TYPE_CHECKING:
    from tap_dynamics365.export.destination import Destination

DELTA, DUCKDB = "delta:", "duckdb:"
POSTGRESQL = ("postgresql:", "postgres:")
PACKAGE = "tap_dynamics365.export"


def open_destination(to: str) -> Destination:
    """Return a destination. Nothing is written or connected yet.

    Args:
        to: A folder for Parquet files, `delta:` with a folder or a URL, `duckdb:` with a file, or a
            URL of PostgreSQL.

    Raises:
        InputError: The text names no destination, or its packages are not installed.
    """
    lower = to.lower()
    destination: Destination
    if lower.startswith(POSTGRESQL):
        address = _module("postgresql_address", "postgresql").Address.parse(to)
        destination = _module("postgresql", "postgresql").PostgreSQL(address)
    elif lower.startswith(DELTA):
        destination = _module("delta_tables", "delta").DeltaTables(_rest(to, DELTA))
    elif lower.startswith(DUCKDB):
        destination = _module("duckdb_file", "duckdb").DuckDBFile(Path(_rest(to, DUCKDB)))
    elif "://" in to:
        msg = (
            "--to names no destination: write DIR, delta:PATH, duckdb:FILE, or "
            "postgresql://user@host:5432/database."
        )
        raise InputError(msg)
    else:
        destination = _module("parquet_files", "arrow").ParquetFiles(Path(to))
    return destination


def _rest(to: str, prefix: str) -> str:
    """Return what follows the name of a destination."""
    rest = to[len(prefix) :]
    if not rest:
        msg = f"--to {prefix} needs a path, such as {prefix}output."
        raise InputError(msg)
    return rest


def _module(name: str, extra: str) -> Any:  # noqa: ANN401 - a module
    """Import the module of a destination, whose packages are an extra."""
    try:
        return import_module(f"{PACKAGE}.{name}")
    except ModuleNotFoundError as error:
        msg = (
            f"This needs the package {error.name}, which is not installed: pip install "
            f'"tap-dynamics365[{extra}]". In a Meltano project, add [{extra}] to pip_url, and run '
            "meltano install."
        )
        raise InputError(msg) from error
