"""Ways to sign in whose packages are an extra of the tap."""

from __future__ import annotations

from tap_dynamics365.errors import SettingsError


def missing(setting: str, extra: str) -> SettingsError:
    """Return the error for a way to sign in whose packages are not installed.

    Args:
        setting: The setting that selects it.
        extra: The extra with its packages.
    """
    return SettingsError(
        f'{setting} needs packages that are not installed: pip install "tap-dynamics365[{extra}]". '
        f"In a Meltano project, add [{extra}] to pip_url, and run meltano install."
    )
