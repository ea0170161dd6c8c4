"""Chromium or Chrome for the tests of the login pages."""

from __future__ import annotations

import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

# The features that Playwright disables on Linux: a second switch would replace Playwright's.
PLAYWRIGHT = (
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable",
    "LensOverlay",
    "MediaRouter",
    "PaintHolding",
    "ThirdPartyStoragePartitioning",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "OptimizationHints",
    "NetworkTimeServiceQuerying",
    "AimEnabled",
    "PreconnectToSearch",
)
# Chromium draws the suggestions below its address bar with pages of its own, which take more
# processor time in each window than the page of a test.
SUGGESTIONS = ("WebUIOmniboxPopup", "WebUIOmniboxAimPopup")

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    f"--disable-features={','.join((*PLAYWRIGHT, *SUGGESTIONS))}",
)


def executable() -> str | None:
    """Find Chromium or Chrome on this machine.

    Returns:
        Its path, or None where there is none.
    """
    return next((path for name in NAMES if (path := shutil.which(name))), None)
