"""Contents of the store of a Business Central environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.business_central import csdl, etags, inventing, organisation
from sandbox.data.filling import Source

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.data.model import Model


def _model(document: Path | None) -> Model:
    return csdl.CentralModel([csdl.read(document)]) if document else organisation.model()


SOURCE = Source(_model, inventing.invent, etags.prepare)
