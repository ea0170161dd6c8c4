"""Coverage: which part of a service's rows a run reads, such as those of one company."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """A part of a service's rows.

    Attributes:
        name: The name in the state.
        words: Which rows it has, in a few words that complete "the rows of …".
        narrower: The coverages that it contains.
        advice: What to do to read a wider coverage again; a sentence.
    """

    name: str
    words: str
    narrower: tuple[Coverage, ...] = ()
    advice: str = ""

    def contains(self, name: str | None) -> bool:
        """Tell whether all rows of another coverage belong to this one.

        Args:
            name: The name of the other coverage; None for no rows.
        """
        return name is None or name in {self.name, *(each.name for each in self.narrower)}
