"""Sync: sends the selected streams, and says at the end how each of them ended."""

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
from tap_dynamics365.singer import new_columns, process
from tap_dynamics365.singer.metadata_stream import is_supported

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from singer_sdk.helpers.types import TapState

    from tap_dynamics365.services.kind import Service
    from tap_dynamics365.settings import Settings
    from tap_dynamics365.singer.metadata_stream import MetadataStream
    from tap_dynamics365.singer.record_stream import RecordStream
    from tap_dynamics365.singer.state_writer import PacedStateWriter
    from tap_dynamics365.singer.table_stream import TableStream

logger = logging.getLogger("tap-dynamics365")


class Sync:
    """One run: tables side by side, or one by one where the SDK has to read them.

    Args:
        service: The service.
        settings: The settings.
        states: Writes the state.
        state: The state of the tap.
        tables: The selected tables.
        describing: The selected streams that describe the service.
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
        describing: list[MetadataStream],
        progress_every: float,
    ) -> None:
        self._service = service
        self._settings = settings
        self._states = states
        self._state = state
        self._tables = tables
        self._describing = describing
        self._progress_every = progress_every
        self._failed: list[str] = []

    def run(self, describe: Callable[[], Any], *, may_lack_columns: bool) -> None:
        """Send the streams.

        Args:
            describe: Reads what the service says of its tables.
            may_lack_columns: Whether the catalog may lack columns that the service has.

        Raises:
            SettingsError: The description is to come from a file that is not there.
            SignInError: The sign-in host gave no token.
            ServiceError: Tables failed, or none could be read.
        """
        tallies = [stream.tally for stream in (*self._tables, *self._describing)]
        client = self._service.client
        progress = Progress(tallies, client.throttle, client.traffic)
        try:
            self._send(progress, describe)
            self._conclude(may_lack_columns=may_lack_columns)
        finally:
            client.report()
            logger.info(progress.summary(time.monotonic()))

    def _send(self, progress: Progress, describe: Callable[[], Any]) -> None:
        if self._describing:
            schema_map.check(self._service, self._settings)
        if self._tables or self._describing:
            # Before the first message: a refusal leaves nothing for the target.
            self._service.client.sign_in()
        self._states.write_now(self._state)
        process.freeze()
        try:
            with shown(progress, self._service, self._progress_every):
                self._send_tables()
                self._send_descriptions(describe)
        except OutputError:
            raise
        except BaseException:
            # Told to end, or unable to continue.
            self._states.write_now(self._state)
            raise
        self._states.write_now(self._state)

    def _send_tables(self) -> None:
        passed_through = [stream for stream in self._tables if stream.is_passed_through]
        read_ahead = self._settings.read_ahead_mb * 1_000_000
        engine = Engine(self._service.client.concurrency, self._states, read_ahead)
        self._failed += engine.run(passed_through)
        self._send_by_record([stream for stream in self._tables if stream not in passed_through])

    def _send_by_record(self, streams: Sequence[RecordStream]) -> None:
        for stream in streams:
            try:
                stream.sync_by_record()
            except Exception as error:  # noqa: BLE001 - any exception is this stream's failure
                stream.fail(failure_of_table(error))
                self._failed.append(stream.name)

    def _send_descriptions(self, describe: Callable[[], Any]) -> None:
        streams = self._describing
        if not streams:
            return
        if not is_supported(self._service.kind):
            for stream in streams:
                stream.tally.outcome = Outcome.SKIPPED
            return
        try:
            # Once for all of them.
            logger.info("Describing %d tables.", len(describe().tables))
        except Exception as error:  # noqa: BLE001 - the tables are complete nevertheless
            log_failure("The metadata streams", failure_of_table(error))
            for stream in streams:
                stream.tally.outcome = Outcome.FAILED
            self._failed += [stream.name for stream in streams]
        else:
            self._send_by_record(streams)

    def _conclude(self, *, may_lack_columns: bool) -> None:
        """Log what was skipped, and raise if tables failed."""
        skipped = [stream.name for stream in self._tables if stream.reader.is_skipped]
        if skipped:
            logger.warning(
                "Skipped %d of %d tables: %s.", len(skipped), len(self._tables), ", ".join(skipped)
            )
        self._compare_columns(may_lack_columns=may_lack_columns)
        if self._failed:
            msg = (
                f"{len(self._failed)} of {len(self._tables) + len(self._describing)} tables "
                f"failed, for the reasons given above: {', '.join(self._failed)}. The state of the "
                "others, and of what was read of these, is safe: run again."
            )
            raise ServiceError(msg)
        if self._tables and len(skipped) == len(self._tables):
            msg = "None of the selected tables can be read: the warnings above say why."
            raise ServiceError(msg)

    def _compare_columns(self, *, may_lack_columns: bool) -> None:
        """Log columns that are newer than the catalog, and note that in the state."""
        redefined = [
            stream for stream in self._tables if stream.reader.metadata_version is not None
        ]
        if not redefined:
            return
        if not may_lack_columns or new_columns.report(self._service.client, redefined):
            for stream in redefined:
                version = stream.reader.metadata_version
                stream.table.state.change(metadata_version=version)
            self._states.write_now(self._state)
