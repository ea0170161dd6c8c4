"""State file of `--state-out`: the Singer state from which the tap goes on after an export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from tap_dynamics365 import atomic_file
from tap_dynamics365.errors import InputError
from tap_dynamics365.singer import state_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MODE: Final = 0o644


class StateFile:
    """A file with a Singer state. Tables that it has already stay in it.

    Args:
        path: The path of the file.

    Raises:
        InputError: The file exists, and can't be read or is no state.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._state: dict[str, Any] = {}
        try:
            text = path.read_text(encoding="utf-8") if path.exists() else ""
            if text:
                self._state = msgspec.json.decode(state_file.find(text)[0])
        except OSError as error:
            raise self._failed(error) from error
        except (ValueError, RecursionError) as error:
            msg = f"{path}, which --state-out names, is not a state. Choose another file."
            raise InputError(msg) from error

    def add(self, bookmarks: Mapping[str, Mapping[str, Any]]) -> None:
        """Write the entries of tables into the file.

        Args:
            bookmarks: The entry of each table.

        Raises:
            InputError: The file can't be written.
        """
        others = self._state.get("bookmarks") or {}
        self._state = {**self._state, "bookmarks": {**others, **bookmarks}}
        content = msgspec.json.format(msgspec.json.encode(self._state), indent=2)
        try:
            atomic_file.write(self._path, content, mode=MODE)
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> InputError:
        reason = atomic_file.error_text(error)
        return InputError(f"{self._path}, which --state-out names, can't be used: {reason}.")
