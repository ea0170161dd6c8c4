"""A stream that can be sent the SDK's way, record by record, and may fail alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from singer_sdk.exceptions import MappingError
from typing_extensions import override

from tap_dynamics365.errors import Dynamics365Error, ServiceError, log_failure
from tap_dynamics365.extract.tally import Outcome
from tap_dynamics365.singer.versions import VersionedStream

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Record

    from tap_dynamics365.extract.tally import Tally


class RecordStream(VersionedStream):
    """A stream whose failure does not end the run.

    The SDK's own `sync` does the same, but logs whatever ends it as an error of nobody's.

    Attributes:
        tally: How far it is.
    """

    tally: Tally

    def announce(self) -> None:
        """Send what comes before the records."""
        self.log("Beginning sync of '%s' in %s mode", self.name, self.replication_method.lower())
        self._write_schema_message()

    def sync_by_record(self) -> None:
        """Send the stream record by record.

        Raises:
            ServiceError: It failed.
        """
        self.announce()
        for _ in self._sync_records():
            pass
        self.tally.outcome = self._outcome()
        self.finalize_state_progress_markers()

    def _outcome(self) -> Outcome:
        """How the stream ended, as nothing has failed."""
        return Outcome.DONE

    def send_sample(self, row: Record | None) -> None:
        """Send one row and nothing else, or only what rows are like.

        Args:
            row: The row, if there is one.

        Raises:
            ServiceError: It can't be sent as the settings want it.
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
            # Expressions in stream_maps are anybody's, and may fail for some rows alone.
            raise ServiceError(mapping_error(error)) from error

    def is_refused(self, error: ServiceError) -> bool:  # noqa: ARG002 - for those that can be
        """Tell whether the service does not let the stream be read, and warn if so.

        Args:
            error: What the service said.
        """
        return False

    def fail(self, error: ServiceError) -> None:
        """Note that the stream failed; the state keeps what was sent of it.

        Args:
            error: Why.
        """
        log_failure(f"Table {self.name!r}", error)
        self.tally.outcome = Outcome.FAILED
        self.state_manager.is_flushed = False
        self._write_state_message()


def mapping_error(error: Exception) -> str:
    """Tell what the SDK says of settings of its own.

    Args:
        error: What it raised.
    """
    words = str(error).rstrip(".")
    told = words if isinstance(error, MappingError) else f"{type(error).__name__}: {words}"
    return f"Setting stream_maps, or one of flattening, can't be followed: {told}."
