"""Every value of the local service arrives, converted as the settings say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.tap import Message, Tap, entry

if TYPE_CHECKING:
    from sandbox.central_client import CentralSandbox

KEPT = {"keep_blank_dates": True, "keep_encoded_names": True}


def described(catalog: Message, stream: str, column: str) -> str:
    """The description of a column in a catalog."""
    found: str = entry(catalog, stream)["schema"]["properties"][column]["description"]
    return found


@pytest.mark.parametrize(
    ("settings", "members"),
    [
        ({}, 'Inventory, Service, "Non-Inventory"'),
        ({"keep_blank_dates": True}, 'Inventory, Service, "Non-Inventory"'),
        ({"keep_encoded_names": True}, "Inventory, Service, Non_x002D_Inventory"),
    ],
)
def test_catalog_names_members_as_rows_have_them(
    central: CentralSandbox, settings: dict[str, Any], members: str
) -> None:
    catalog = Tap({**central.settings, **settings}).discover()
    assert described(catalog, "items", "type").endswith(f".itemType: {members}.")
