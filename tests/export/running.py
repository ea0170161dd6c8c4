"""Runs of `dynamics365 export`, to their end or until they are killed."""

from __future__ import annotations

import json
import os
import re
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.commands.program import FORKED, dynamics365
from tests.tap import SECONDS, begin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.commands.program import Output
    from tests.export.places import Place
    from tests.tap import Process

SENT = re.compile(r"Sent ([\d,]+) rows?")
# Some rows are committed in each run: half a megabyte of them.
SMALL = {"read_ahead_mb": 1, "fetch_size": 100, "max_parallel_requests": 4}


def export(settings: Mapping[str, Any], place: Place, *arguments: str) -> Output:
    """Export to the end of the run."""
    return dynamics365("export", {**settings}, "--to", place.to, *arguments)


def sent(output: Output) -> int:
    """Assert that an export succeeded, and return how many rows it sent."""
    assert output.status == 0, output.log
    found = SENT.search(output.printed)
    assert found is not None
    return int(found[1].replace(",", ""))


@contextmanager
def started(
    settings: Mapping[str, Any],
    place: Place,
    folder: Path,
    *arguments: str,
    output: int = subprocess.PIPE,
) -> Iterator[Process]:
    """Start an export, and kill it at the end of the block if it is still running."""
    config = folder / "config.json"
    config.write_text(json.dumps({**settings}))
    process = begin(
        FORKED,
        ["export", "--config", str(config), "--to", place.to, *arguments],
        cwd=folder,
        env=dict(os.environ),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=SECONDS)
