"""Shown changes: what a person has seen on the page, and may have written."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_dynamics365.config_files.change import Change


@dataclass(frozen=True)
class Shown:
    """The changes of files that the page has shown.

    Attributes:
        changes: The changes.
        token: What the form that writes them sends back.
    """

    changes: Sequence[Change] = field(repr=False)
    token: str = field(default_factory=secrets.token_urlsafe, repr=False)
