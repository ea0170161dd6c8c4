"""ACTIVATE_VERSION messages, which tell the target which rows are current.

https://sdk.meltano.com/en/latest/capabilities/target/activate-version.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk.streams import Stream
from typing_extensions import override

from tap_dynamics365.extract.read import LOG_BASED

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTING = "emit_activate_version_messages"


def are_used(config: Mapping[str, Any], method: str) -> bool:
    """Tell whether records carry a table version.

    Args:
        config: The settings. By default, only `LOG_BASED` streams carry one, because they need a
            full resync from time to time. Without a version, the target would keep the rows that
            were deleted before the resync.
        method: The replication method.
    """
    chosen = config.get(SETTING)
    return method == LOG_BASED if chosen in {None, ""} else bool(chosen)


class VersionedStream(Stream):
    """A stream that activates its version after its rows, not before them."""

    @property
    @override
    def emit_activate_version_messages(self) -> bool:
        return are_used(self.config, self.replication_method)

    @override
    def _write_activate_version_message(self, full_table_version: int) -> None:
        """Do nothing: the SDK would tell the target too early to drop the old rows."""

    def activate(self, version: int) -> None:
        """Tell the target that all current rows carry a version.

        Args:
            version: The version.
        """
        super()._write_activate_version_message(version)
