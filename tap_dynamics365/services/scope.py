"""Scope: which part of a service's rows a run reads, such as those of one company."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Scope:
    """A part of a service's rows.

    Attributes:
        name: Which rows it has, in a few words that complete "the rows of …".
        narrower: The names of the scopes that it contains.
        advice: What to do to read a wider scope again; a sentence.
    """

    name: str
    narrower: frozenset[str] = frozenset()
    advice: str = ""

    def contains(self, name: str | None) -> bool:
        """Tell whether all rows of another scope belong to this one.

        Args:
            name: The other scope; None for no rows.
        """
        return name is None or name == self.name or name in self.narrower
