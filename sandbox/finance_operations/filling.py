"""Contents of the store of a Finance & Operations environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.data.filling import Source
from sandbox.finance_operations import collation, csdl, inventing, organisation

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.data.model import Model


def _model(document: Path | None) -> Model:
    return csdl.read(document) if document else organisation.model()


SOURCE = Source(_model, inventing.invent, collation.prepare)
