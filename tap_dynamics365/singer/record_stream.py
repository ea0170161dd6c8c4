"""Record stream: a stream that the SDK can send record by record, and that may fail alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import MappingError
from typing_extensions import override

from tap_dynamics365.errors import Dynamics365Error, ServiceError
from tap_dynamics365.extract.tally import Outcome
from tap_dynamics365.singer.versions import VersionedStream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_sdk.helpers.types import Context, Record

    from tap_dynamics365.extract.tally import Tally


class RecordStream(VersionedStream):
    """A stream whose failure does not end the run.

    `sync_by_record` replaces the SDK's `sync`, which would log every failure a second time.

    Attributes:
        tally: The progress of the stream.
    """

    tally: Tally

    def announce(self) -> None:
        """Write the SCHEMA message, which comes before the records."""
        self.log("Beginning sync of '%s' in %s mode", self.name, self.replication_method.lower())
        self._write_schema_message()

    def sync_by_record(self) -> None:
        """Send the stream record by record.

        Raises:
            ServiceError: The stream failed.
        """
        self.announce()
        for _ in self._sync_records():
            pass
        self.tally.outcome = self._outcome()
        self.finalize_state_progress_markers()

    def _outcome(self) -> Outcome:
        """Return how the stream ended, given that nothing failed."""
        return Outcome.DONE

    def send_sample(self, row: Record | None) -> None:
        """Write the SCHEMA message, and one record if there is a row.

        Args:
            row: The row, if there is one.

        Raises:
            ServiceError: A stream map or flattening fails for the row.
        """
        self._write_schema_message()
        if row is not None:
            self._write_record_message(row)

    @override
    def _write_record_message(self, record: Record) -> None:
        try:
            super()._write_record_message(record)
        except Dynamics365Error:
            raise
        except Exception as error:
            # Expressions in stream_maps are the user's, and may fail for some rows only.
            raise ServiceError(mapping_error(error)) from error

    def is_refused(self, error: ServiceError) -> bool:  # noqa: ARG002 - for those that can be
        """Tell whether the service denies the stream, and log a warning if it does.

        Args:
            error: The refusal.
        """
        return False

    def fail(self) -> None:
        """Note that the stream failed, and write the state of what was sent."""
        self.tally.outcome = Outcome.FAILED
        self.state_manager.is_flushed = False
        self._write_state_message()

    # Overrides of the SDK's behavior.

    @property
    @override
    def partitions(self) -> None:
        """Nothing: the SDK would read the stream once for each partition in the state."""

    @override
    def get_batch_config(self, config: Mapping[str, Any]) -> None:
        """Return nothing: the SDK's BATCH messages ignore selection and stream maps."""

    @override
    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """Return nothing: the bookmark is limited by the service's time instead."""

    @override
    def _write_starting_replication_value(self, context: Context | None) -> None:
        """Do nothing: the replication method knows where to begin."""

    @override
    def _process_record(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the SDK would filter the record for child streams. There are none."""


def mapping_error(error: Exception) -> str:
    """Return a message about stream maps or flattening that fail.

    Args:
        error: The exception that the SDK raised.
    """
    words = str(error).rstrip(".")
    text = words if isinstance(error, MappingError) else f"{type(error).__name__}: {words}"
    return f"Setting stream_maps, or a flattening setting, can't be applied: {text}."
