"""Table parts: the parts of a table in one run, opened, and judged at the end."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Generic

from tap_dynamics365.errors import ServiceError, log_failure
from tap_dynamics365.extract.page import Content
from tap_dynamics365.extract.state import TableState
from tap_dynamics365.extract.table_part import TablePart
from tap_dynamics365.extract.tally import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from tap_dynamics365.extract.page import Page
    from tap_dynamics365.extract.reader import TableReader
    from tap_dynamics365.extract.table import TableSpec
    from tap_dynamics365.extract.table_part import Owner
    from tap_dynamics365.extract.version import TableVersion
    from tap_dynamics365.services.part import Part

    OpenReader = Callable[[TableSpec, TableState], TableReader]

# A connection test looks for a row in so many parts of a table.
SAMPLED = 3
# The parts that a message names.
MOST_NAMED = 10

logger = logging.getLogger("tap-dynamics365")


class TableParts(Generic[Content]):
    """The selected parts of a table; one if it is not divided.

    Args:
        parts: The parts.
        left_out: The names of parts that runs before have read, and that are not selected now.

    Attributes:
        all: The parts.
    """

    def __init__(self, parts: Sequence[TablePart[Content]], left_out: Sequence[str] = ()) -> None:
        self.all = parts
        self._left_out = left_out

    @classmethod
    def of_table(  # noqa: PLR0913 - what parts are made of
        cls,
        owner: Owner[Content],
        spec: TableSpec,
        state: dict[str, Any],
        open_reader: OpenReader,
        *,
        columns: Sequence[str],
        every: Callable[[], Sequence[Part]],
        oldest_first: bool,
    ) -> TableParts[Content]:
        """Make the selected parts of a table.

        Args:
            owner: The output of the table.
            spec: What to extract.
            state: The state of the run.
            open_reader: Makes the reader of a part.
            columns: The columns of the table that tell the part; the first one has its id. Empty if
                the table is not divided.
            every: Reads the parts of the service, selected or not.
            oldest_first: Whether the parts with the oldest bookmarks come first, because the run
                may end before the last part.
        """
        whole = TableState(state, owner.name)
        if not columns:
            return cls([TablePart(owner, spec, partial(open_reader, spec, whole))])
        before = {context.get(columns[0]) for context in whole.contexts}
        listed = every()
        selected = [
            (spec.in_part(part, columns), TableState(state, owner.name, {columns[0]: part.id}))
            for part in listed
            if part.is_selected
        ]
        if oldest_first:
            selected.sort(key=lambda pair: str(pair[1].entry.replication_key_value or ""))
        return cls(
            [TablePart(owner, each, partial(open_reader, each, at)) for each, at in selected],
            [part.name for part in listed if not part.is_selected and part.id in before],
        )

    @property
    def are_finished(self) -> bool:
        """Whether all parts have ended."""
        return all(part.is_finished for part in self.all)

    @property
    def have_failed(self) -> bool:
        """Whether a part has failed."""
        return any(part.error is not None for part in self.all)

    @property
    def are_cut_short(self) -> bool:
        """Whether a part ended before its last row, as the settings say."""
        return any(part.outcome is Outcome.IN_PART for part in self.all)

    @property
    def outcome(self) -> Outcome:
        """How the table ended, if no part failed."""
        found = {part.outcome for part in self.all}
        if found <= {Outcome.SKIPPED}:
            return Outcome.SKIPPED
        is_whole = found == {Outcome.DONE} and not any(part.is_incomplete for part in self.all)
        return Outcome.DONE if is_whole else Outcome.IN_PART

    @property
    def reason_to_keep_rows(self) -> str:
        """Why rows that did not come again can't be taken for deleted ones; empty if they can."""
        if skipped := [part.label for part in self.all if part.outcome is Outcome.SKIPPED]:
            return f"the rows of {_listed(skipped)} could not be read"
        if incomplete := [part.label for part in self.all if part.is_incomplete]:
            return f"some rows of {_listed(incomplete)} could not be read"
        if self._left_out:
            names = _listed(self._left_out)
            return f"rows of {names}, which are not selected now, stay in the target"
        return ""

    def fail(self, part: TablePart[Content], error: ServiceError) -> None:
        """Note that a part failed. Others often fail for the same reason: only the first is logged.

        Args:
            part: The part.
            error: Its failure.
        """
        if self.have_failed:
            logger.debug("Table %r failed. %s", part.label, error.message)
        else:
            log_failure(f"Table {part.label!r}", error)
        part.error = error

    def conclude(
        self, version: TableVersion, state: TableState, activate: Callable[[int], None]
    ) -> None:
        """Activate the version, and then note in the state that the table is complete.

        If the run ends between the two, the state still says that the table is incomplete.

        Args:
            version: The version of the table.
            state: The entry of the table in the state.
            activate: Called with the version if rows that did not come with it were deleted.
        """
        if self.are_cut_short or self.outcome is Outcome.SKIPPED:
            return
        if version.number is not None and version.is_outdated:
            if reason := self.reason_to_keep_rows:
                logger.warning(
                    "Rows of %r that were deleted stay in the target: %s.", self.all[0].name, reason
                )
            else:
                activate(version.number)
        at_end = self.all[0].at_end
        if version.is_divided:
            state.change(at_end)
        else:
            state.change(**at_end)

    def log_failures(self) -> None:
        """Log which parts failed, if it was more than one."""
        failed = [part.label for part in self.all if part.error is not None]
        if len(failed) > 1:
            logger.error("Failed: %s.", _listed(failed))

    def fetch_sample(self) -> Page[Content] | None:
        """Fetch a page of one row, in any thread.

        Returns:
            The page; None if there is no row in the parts that were tried.

        Raises:
            ServiceError: The service refused, in all parts.
        """
        refusal, answers = None, 0
        for part in self.all:
            try:
                page = part.fetch_sample()
            except ServiceError as error:
                refusal = error
                continue
            answers += 1
            if page.pieces:
                return page
            if answers == SAMPLED:
                return None
        if refusal is not None and not answers:
            raise refusal
        return None


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    listed = ", ".join(map(repr, names[:MOST_NAMED]))
    return f"{listed}, and {more} more" if more > 0 else listed
