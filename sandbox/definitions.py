"""`EntityDefinitions`: the metadata of tables and columns as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.errors import unknown_segment

if TYPE_CHECKING:
    from sandbox.model import Model


class Definitions:
    """Answers queries over metadata."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def knows(self, path: str) -> bool:
        """Whether a path is one of metadata."""
        return path.startswith("EntityDefinitions")

    def get(self, path: str, root: str, given: dict[str, str]) -> bytes:
        """The answer to a GET."""
        raise unknown_segment(path)
