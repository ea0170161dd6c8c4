"""Read-only replica of the database, which can lag behind.

Online, reads go to a replica unless `Data-Access-Intent: ReadWrite` is asked for (Microsoft Learn,
"Using read scale-out").
"""

from __future__ import annotations

from sandbox.business_central import etags
from sandbox.data.store import Store


class Replica:
    """The replica.

    Args:
        store: The rows.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._copy: Store | None = None

    @property
    def lags(self) -> bool:
        """Whether the replica has stopped at the state that the rows had when this was set."""
        return self._copy is not None

    @lags.setter
    def lags(self, value: bool) -> None:
        """Whether the replica has stopped at the state that the rows had when this was set."""
        if self._copy is not None:
            self._copy.close()
            self._copy = None
        if value:
            self._copy = Store(self._store.model, etags.prepare, self._store.snapshot())

    def store(self, intent: str) -> Store:
        """Return the rows that a request reads.

        Args:
            intent: Value of the `Data-Access-Intent` header.
        """
        return self._store if self._copy is None or intent.lower() == "readwrite" else self._copy

    def close(self) -> None:
        """Remove the copy."""
        self.lags = False
