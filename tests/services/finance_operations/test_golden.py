"""Catalogs of real documents: one in full, the others in short.

`REWRITE_GOLDEN=1 pytest tests/services/finance_operations/test_golden.py` rewrites the files in
tests/golden/. Review the difference before you commit.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from hashlib import sha256

import pytest

from tests.services.finance_operations.service import running as service
from tests.singer.test_discovery import DOCUMENTS, assert_golden, readable
from tests.tap import Message, own_metadata


def catalog(name: str) -> Message:
    """The catalog of a document, with a line for each column; skip if the document is not here."""
    path = DOCUMENTS / f"finance-operations-{name}.xml.gz"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    with service(data=gzip.decompress(path.read_bytes())) as running:
        found = running.tap.discover()
    assert not any(own_metadata(stream)["selected"] for stream in found["streams"])
    return readable(found)


def digest(value: object) -> str:
    """A short digest of a value in JSON."""
    return sha256(json.dumps(value).encode()).hexdigest()[:16]


def short(table: Message) -> str:
    """A table in one line."""
    key = ", ".join(table["key_properties"]) or "none"
    growing = table.get("replication_key")
    method = f"{table['replication_method']} by {growing}" if growing else "FULL_TABLE"
    return f"{method}, key {key}, {len(table['columns'])} columns {digest(table['columns'])}"


def test_catalog_of_a_part_of_an_environment_is_the_golden_file() -> None:
    found = catalog("cut")
    assert len(found) == 71
    assert_golden("finance-operations-part", found)


def test_catalog_of_unusual_entities_is_the_golden_file() -> None:
    found = catalog("300-rebuilt")
    assert_golden("finance-operations-unusual", {name: short(found[name]) for name in found})


def test_catalog_of_a_whole_environment_is_the_golden_file() -> None:
    found = catalog("whole-rebuilt")
    kinds = Counter(
        line.partition(" '")[0] for table in found.values() for line in table["columns"].values()
    )
    keys = Counter(table.get("replication_key", "none") for table in found.values())
    assert_golden(
        "finance-operations-whole",
        {
            "tables": len(found),
            "without a key": [name for name in found if not found[name]["key_properties"]],
            "replication keys": dict(keys.most_common()),
            "columns": dict(sorted(kinds.items())),
            "digest": digest(found),
        },
    )
