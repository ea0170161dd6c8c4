"""The PostgreSQL that the demo and the end-to-end tests load into."""

from pathlib import Path

import psycopg
import pytest

from tools import postgres


def test_server_listens_on_loopback_only(postgres_server: postgres.Postgres) -> None:
    """The server listens on 127.0.0.1, has no socket file, and does not run as root."""
    with psycopg.connect(postgres_server.dsn) as connection:
        row = connection.execute(
            "SELECT current_setting('listen_addresses'),"
            " current_setting('unix_socket_directories'), current_setting('data_directory')"
        ).fetchone()
    assert row is not None
    addresses, sockets, data = row
    assert (addresses, sockets) == ("127.0.0.1", "")
    assert Path(data).stat().st_uid != 0


def test_databases_are_separate(postgres_server: postgres.Postgres) -> None:
    """A table of one database does not exist in another."""
    one, two = (postgres_server.create(name) for name in ("one", "two"))
    with psycopg.connect(one.dsn) as connection:
        connection.execute("CREATE TABLE here ()")
    with psycopg.connect(two.dsn) as connection:
        assert connection.execute("SELECT to_regclass('here')").fetchone() == (None,)


def test_server_leaves_nothing_behind() -> None:
    """Process, port and files are gone at the end, even after an error."""

    def use() -> None:
        with postgres.running() as server:
            dsn.append(server.dsn)
            with psycopg.connect(server.dsn) as connection:
                data = connection.execute("SELECT current_setting('data_directory')").fetchone()
            assert data is not None
            folders.append(Path(data[0]))
            assert folders[0].exists()
            message = "for the test"
            raise LookupError(message)

    dsn: list[str] = []
    folders: list[Path] = []
    with pytest.raises(LookupError):
        use()
    assert not folders[0].parent.exists()
    with pytest.raises(psycopg.OperationalError, match="refused"):
        psycopg.connect(dsn[0])


def test_server_that_cannot_start_reports_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message ends with PostgreSQL's log."""
    monkeypatch.setattr(postgres, "SPEED", ("fsync=perhaps",))
    with (
        pytest.raises(postgres.PostgresError, match='parameter "fsync" requires a Boolean value'),
        postgres.running(),
    ):
        pass
