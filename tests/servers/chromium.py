"""Chromium or Chrome for the tests of the login pages."""

from __future__ import annotations

import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def executable() -> str | None:
    """Find Chromium or Chrome on this machine.

    Returns:
        Its path, or None where there is none.
    """
    return next((path for name in NAMES if (path := shutil.which(name))), None)
