"""Sync: sends the selected streams, and reports skipped and failed streams at the end."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from tap_dynamics365.errors import OutputError, ServiceError, failure_of_table, log_failure
from tap_dynamics365.extract.engine import Engine
from tap_dynamics365.extract.tally import Outcome
from tap_dynamics365.progress.display import shown
from tap_dynamics365.progress.progress import Progress
from tap_dynamics365.services import schema_map
from tap_dynamics365.singer import new_columns, process, service_notices
from tap_dynamics365.singer.metadata_stream import is_supported

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from singer_sdk.helpers.types import TapState

    from tap_dynamics365.extract.skipped import Skipped
    from tap_dynamics365.services.kind import Service
    from tap_dynamics365.settings import Settings
    from tap_dynamics365.singer.metadata_stream import MetadataStream
    from tap_dynamics365.singer.record_stream import RecordStream
    from tap_dynamics365.singer.state_writer import PacedStateWriter
    from tap_dynamics365.singer.table_stream import TableStream

logger = logging.getLogger("tap-dynamics365")
summary_logger = logging.getLogger("tap-dynamics365.summary")


class Sync:
    """One run. The engine reads tables in parallel; streams that need the SDK follow one by one.

    Args:
        service: The service.
        settings: The settings.
        states: Writes the state.
        state: The state of the tap.
        tables: The streams of the selected tables.
        metadata_streams: The selected metadata streams.
        skipped: Logs what is skipped.
        progress_every: Seconds between two progress lines in the log.
    """

    def __init__(  # noqa: PLR0913 - what a run is made of
        self,
        service: Service,
        settings: Settings,
        states: PacedStateWriter,
        state: TapState,
        *,
        tables: list[TableStream],
        metadata_streams: list[MetadataStream],
        skipped: Skipped,
        progress_every: float,
    ) -> None:
        self._service = service
        self._settings = settings
        self._states = states
        self._state = state
        self._tables = tables
        self._metadata_streams = metadata_streams
        self._skipped = skipped
        self._progress_every = progress_every
        self._failed: list[str] = []

    def run(self, describe: Callable[[], Any], *, may_lack_columns: bool) -> None:
        """Send the streams.

        Args:
            describe: Reads the description of the tables for the metadata streams.
            may_lack_columns: Whether the catalog may lack columns that the service has.

        Raises:
            SettingsError: The file with the description does not exist.
            SignInError: The sign-in host gave no token.
            ServiceError: Tables failed, or no table could be read.
        """
        tallies = [stream.tally for stream in (*self._tables, *self._metadata_streams)]
        client = self._service.client
        progress = Progress(tallies, client.throttle, client.traffic)
        try:
            self._send(progress, describe)
            self._conclude(may_lack_columns=may_lack_columns)
        finally:
            client.report()
            _log_summary(progress.summary(time.monotonic()))

    def _send(self, progress: Progress, describe: Callable[[], Any]) -> None:
        self._warn()
        if self._metadata_streams:
            schema_map.check(self._service, self._settings)
        if self._tables or self._metadata_streams:
            # Before the first message, so that the target gets nothing if the sign-in fails.
            self._service.client.sign_in()
        for table in self._tables:
            # Now, because a list of parts that is refused ends the run.
            _ = table.parts
        self._states.write_now(self._state)
        process.freeze()
        try:
            with shown(progress, self._service, self._progress_every):
                self._send_tables()
                self._send_descriptions(describe)
        except OutputError:
            raise
        except BaseException:
            # A signal, or a failure that ends the run.
            self._states.write_now(self._state)
            raise
        self._states.write_now(self._state)

    def _warn(self) -> None:
        """Log what a user has to know before rows are read."""
        kind = self._service.kind
        if not self._tables:
            if not self._metadata_streams:
                logger.warning("The catalog selects no table: nothing is extracted.")
            return
        service_notices.log(kind, self._settings, self._tables)
        if len(self._tables) > kind.many_tables:
            logger.warning(
                "%d tables of %s are selected, which may take hours. Select fewer by the setting "
                "tables, in the catalog, or with meltano select, which selects all tables unless "
                "it is told otherwise.",
                len(self._tables),
                kind.name,
            )

    def _send_tables(self) -> None:
        passed_through = [stream for stream in self._tables if stream.is_passed_through]
        read_ahead = self._settings.read_ahead_mb * 1_000_000
        engine = Engine(self._service.client.concurrency, self._states, read_ahead)
        failed = engine.run([part for stream in passed_through for part in stream.parts.all])
        self._failed += dict.fromkeys(sink.name for sink in failed)
        self._send_by_record([stream for stream in self._tables if stream not in passed_through])

    def _send_by_record(self, streams: Sequence[RecordStream]) -> None:
        for stream in streams:
            try:
                stream.sync_by_record()
            except Exception as error:  # noqa: BLE001 - any exception is this stream's failure
                log_failure(f"Table {stream.name!r}", failure_of_table(error))
                stream.fail()
                self._failed.append(stream.name)

    def _send_descriptions(self, describe: Callable[[], Any]) -> None:
        streams = self._metadata_streams
        if not streams:
            return
        if not is_supported(self._service.kind):
            for stream in streams:
                stream.tally.outcome = Outcome.SKIPPED
            return
        try:
            # All metadata streams share one description.
            logger.info("Describing %s.", _tables(len(describe().tables)))
        except Exception as error:  # noqa: BLE001 - the tables are complete nevertheless
            log_failure("The metadata streams", failure_of_table(error))
            for stream in streams:
                stream.tally.outcome = Outcome.FAILED
            self._failed += [stream.name for stream in streams]
        else:
            self._send_by_record(streams)

    def _conclude(self, *, may_lack_columns: bool) -> None:
        """Log which tables were skipped, and raise if tables failed."""
        skipped = [stream.name for stream in self._tables if stream.is_skipped]
        self._skipped.conclude(skipped)
        if skipped:
            logger.warning(
                "Skipped %d of %s: %s.",
                len(skipped),
                _tables(len(self._tables)),
                ", ".join(skipped),
            )
        self._compare_columns(may_lack_columns=may_lack_columns)
        if self._failed:
            count = _tables(len(self._tables) + len(self._metadata_streams))
            msg = (
                f"{len(self._failed)} of {count} failed, for the reasons logged above: "
                f"{', '.join(self._failed)}. The state of everything that was sent is saved: run "
                "again."
            )
            raise ServiceError(msg)
        if self._tables and len(skipped) == len(self._tables):
            msg = "None of the selected tables can be read. The warnings above say why."
            raise ServiceError(msg)

    def _compare_columns(self, *, may_lack_columns: bool) -> None:
        """Log columns that the catalog lacks, and note the metadata version in the state."""
        redefined = [
            stream
            for stream in self._tables
            if not stream.is_divided and stream.parts.all[0].reader.metadata_version is not None
        ]
        if not redefined:
            return
        if not may_lack_columns or new_columns.report(self._service.client, redefined):
            for stream in redefined:
                reader = stream.parts.all[0].reader
                reader.table.state.change(metadata_version=reader.metadata_version)
            self._states.write_now(self._state)


def _tables(count: int) -> str:
    return "1 table" if count == 1 else f"{count} tables"


def _log_summary(text: str) -> None:
    """Log the summary of a run, also if the log has only warnings: it is one line for each run."""
    if summary_logger.getEffectiveLevel() == logging.WARNING:
        summary_logger.setLevel(logging.INFO)
    summary_logger.info(text)
