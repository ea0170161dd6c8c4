"""Catalogs of real documents: an API in full, and OData web services in short.

`REWRITE_GOLDEN=1 pytest tests/services/business_central/test_golden.py` rewrites the files in
tests/golden/. Review the difference before you commit.
"""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from tests.services.business_central.documents import STANDARD, WEB_SERVICES, running
from tests.services.finance_operations.test_golden import short
from tests.singer.test_discovery import DOCUMENTS, assert_golden, readable

if TYPE_CHECKING:
    from tests.tap import Message


def catalog(name: str, root: str) -> Message:
    """The catalog of a document, with a line for each column; skip if the document is not here."""
    path = DOCUMENTS / f"business-central-{name}.xml.gz"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    with running({root: gzip.decompress(path.read_bytes())}, root=root) as service:
        return readable(service.tap.discover())


def test_catalog_of_the_standard_api_is_the_golden_file() -> None:
    found = catalog("v2", STANDARD)
    assert len(found) == 80
    assert_golden("business-central-v2", found)


def test_catalog_of_web_services_is_the_golden_file() -> None:
    found = catalog("odatav4", WEB_SERVICES)
    assert len(found) == 83
    assert_golden("business-central-odatav4", {name: short(found[name]) for name in found})
