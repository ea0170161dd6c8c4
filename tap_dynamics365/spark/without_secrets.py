"""Objects that Spark pickles for executors, without what only the driver needs."""

from __future__ import annotations

from typing import Any

# The options have secrets, and a source has connections. Tasks have the description of the table.
_OF_THE_DRIVER = frozenset({"_options", "_described", "_source", "_changes"})


class WithoutSecrets:
    """An object whose pickle has neither options nor connections.

    Executors read with what is in each task.
    """

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled."""
        kept = self.__dict__.items()
        return {name: value for name, value in kept if name not in _OF_THE_DRIVER}
