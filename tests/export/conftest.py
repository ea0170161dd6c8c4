"""Destinations of each kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_dynamics365.export.opening import open_destination
from tests.export.places import NAMES, Place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tap_dynamics365.export.destination import Destination
    from tools.postgres import Postgres


@pytest.fixture(params=NAMES)
def place(request: pytest.FixtureRequest, tmp_path: Path, postgres: Postgres) -> Place:
    """A destination of each kind."""
    return Place(request.param, tmp_path, postgres)


@pytest.fixture
def destination(place: Place) -> Iterator[Destination]:
    """The destination, opened."""
    opened = open_destination(place.to)
    assert opened.progress(["Account"]) == {}
    yield opened
    opened.close()
