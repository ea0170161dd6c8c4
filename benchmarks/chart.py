"""Chart of the results."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl

from benchmarks.cases import CASES, OURS, PEERS
from benchmarks.loads import Work

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.running import Results

BARS = (*OURS, *PEERS)
COLOURS = ("#1f4e9c", "#0a8f5b", "#999999", "#d9d9d9", "#e07b39", "#c0504d", "#8064a2", "#b59b00")


def draw(results: Results, path: Path) -> None:
    """Draw the rows per second, by case and program.

    Args:
        results: The measurements.
        path: Path of the picture.
    """
    mpl.use("agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415  - after the backend is chosen

    cases = [c for c in CASES if c.load.work is Work.READ and c.name in results.measured]
    if not cases:
        return
    figure, axes = plt.subplots(
        (len(cases) + 1) // 2, 2, figsize=(13, 2.6 * ((len(cases) + 1) // 2)), squeeze=False
    )
    for axis, case in zip(axes.flat, cases, strict=False):
        names, speeds, colours = [], [], []
        for program, colour in zip(BARS, COLOURS, strict=True):
            if found := results.typical(case.name, program.name):
                names.append(program.name)
                speeds.append(found.rows / found.wall)
                colours.append(colour)
        bars = axis.barh(names[::-1], speeds[::-1], color=colours[::-1])
        axis.bar_label(bars, fmt=" {:,.0f}", fontsize=8)
        axis.set_title(f"{case.name}: rows per second", fontsize=10)
        axis.margins(x=0.15)
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes.flat[len(cases) :]:
        axis.axis("off")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
