"""Operating system: programs that need Linux or macOS say so."""

import os
import sys


def require_posix(what: str) -> None:
    """End the program with one sentence on Windows.

    Args:
        what: What needs another system, as the subject of the sentence, in the singular.
    """
    # Of the systems that Python runs on, Windows alone lacks it.
    if not hasattr(os, "fork"):
        sys.exit(
            f"{what} needs Linux or macOS. On Windows, `python -m sandbox` starts a local "
            "Dynamics 365 for the tap."
        )
