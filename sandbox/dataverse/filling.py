"""Contents of an organisation's store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.data import rows
from sandbox.data.filling import Source
from sandbox.dataverse.organisation import MODEL
from sandbox.metadata import csdl
from sandbox.query import rendering

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.data.model import Model


def _model(document: Path | None) -> Model:
    return csdl.read(document) if document else MODEL


SOURCE = Source(_model, rows.invent, rendering.add_functions)
