"""Versions of a table in the target: what is older than the newest is gone from the service."""

from __future__ import annotations

from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from singer_sdk.streams import Stream
from typing_extensions import override

from tap_dynamics365.extract.state import NOTHING_READ, TableState
from tap_dynamics365.singer.catalog import LOG_BASED

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTING = "emit_activate_version_messages"


class VersionedStream(Stream):
    """A stream whose records carry a version, where the target is told of versions.

    https://sdk.meltano.com/en/latest/capabilities/target/activate-version.html
    """

    #: Whether the service refused to let the table be read.
    unreadable = False
    #: Whether the run ends before the end of the table, as the settings have it.
    is_cut_short = False
    #: Whether the target may hold rows that are gone, and has to be told of the version.
    is_outdated = False
    #: What the state is to say once the table was read to its end.
    at_end: Mapping[str, Any] = MappingProxyType({})

    @property
    @override
    def emit_activate_version_messages(self) -> bool:
        # By LOG_BASED a full resync is a matter of course, and nothing else tells of rows that
        # were deleted before it.
        chosen = self.config.get(SETTING)
        return self.replication_method == LOG_BASED if chosen in {None, ""} else bool(chosen)

    @cached_property
    def table_state(self) -> TableState:
        """What the state says of the table."""
        return TableState(self.tap_state.setdefault("bookmarks", {}), self.name)

    def begin_version(self, **values: Any) -> None:
        """Count the table's rows as new ones, where the target is told of versions.

        Nothing that was read before belongs to a new version: a bookmark of the version before
        would have the target drop the rows up to it.

        Args:
            **values: What else is to be said of the table from then on, in the same assignment.
        """
        if self.emit_activate_version_messages:
            # Two runs may begin in the same second.
            last = self.table_state.entry.version or 0
            self._stream_version = max(self._initialized_at // 1000, last + 1)
            self.is_outdated = True
            values = {**NOTHING_READ, **values}
        self.table_state.change(**values, version=self._stream_version)

    def keep_version(self) -> bool:
        """Count the table's rows to those of the run before.

        Returns:
            Whether that can be: else the target has rows that belong to no version.
        """
        if not self.emit_activate_version_messages:
            self.table_state.change(version=None)
            return True
        self._stream_version = self.table_state.entry.version
        return self._stream_version is not None

    @override
    def _write_activate_version_message(self, full_table_version: int) -> None:
        """Do nothing: the SDK would have the target drop the old rows before the new are there."""

    def conclude(self) -> None:
        """Tell that the table was read to its end: the target first, and then the state.

        A run that ends between the two has not come to its end, as far as the state knows.
        """
        # The SDK's connection test reads tables too, in part and without writing.
        if self.unreadable or self.is_cut_short or self.ABORT_AT_RECORD_COUNT is not None:
            return
        if self._stream_version is not None and self.is_outdated:
            super()._write_activate_version_message(self._stream_version)
        self.table_state.change(**self.at_end)
