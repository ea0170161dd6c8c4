"""Output of the demo: steps with their duration, and tables."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

TITLE_WIDTH = 62


class Step:
    """A step in progress.

    Attributes:
        outcome: Result of the step, which is printed when the step ends.
    """

    outcome = ""


@contextmanager
def step(title: str) -> Iterator[Step]:
    """Print the title of a step, and its duration when it ends.

    Args:
        title: Title of the step.
    """
    print(f"{title} ...".ljust(TITLE_WIDTH), end=" ", flush=True)
    started = time.monotonic()
    under_way = Step()
    try:
        yield under_way
    except BaseException as error:
        print("interrupted" if isinstance(error, KeyboardInterrupt) else "failed")
        raise
    print(f"{time.monotonic() - started:5.1f} s   {under_way.outcome}".rstrip())


def cell(value: object) -> str:
    """Return a value as a table shows it."""
    match value:
        case None:
            return ""
        case int():
            return f"{value:,}"
        case _:
            return str(value)


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table as text, with numbers aligned to the right.

    Args:
        header: Names of the columns.
        rows: Values of the rows.
    """
    texts = [[cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *texts, strict=True)]
    numeric = [
        all(isinstance(value, int) for value in column if value is not None)
        for column in zip(*rows, strict=True)
    ]
    lines = [
        "  ".join(
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, numeric, strict=True)
        )
        for line in (header, ["-" * width for width in widths], *texts)
    ]
    return "\n".join(f"    {line}".rstrip() for line in lines)
