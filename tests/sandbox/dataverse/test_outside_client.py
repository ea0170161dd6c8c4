"""Microsoft's own Python client as a client of the sandbox."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.api import Api

if TYPE_CHECKING:
    from sandbox.client import Sandbox

SCRIPT = Path(__file__).with_name("outside_client.py")
# An environment made by the Makefile: the client's dependencies would slow down every start of the
# tap.
PYTHON = SCRIPT.parents[3] / ".venv-dataverse-client" / "bin" / "python"


@pytest.fixture(scope="module")
def got(shared_sandbox: Sandbox) -> dict[str, Any]:
    """What the client read."""
    if not PYTHON.exists():
        pytest.skip("the environment of powerplatform-dataverse-client is not there: make test")
    _, _, token = str(Api(shared_sandbox).session.headers["Authorization"]).partition(" ")
    done = subprocess.run(  # noqa: S603 - our own script
        [PYTHON, SCRIPT, shared_sandbox.url, token], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_client_reads_every_page(got: dict[str, Any], sandbox: Sandbox) -> None:
    stored = {row["contactid"]: row["fullname"] for row in sandbox.rows("contact")}
    assert len(got["pages"]) == -(-len(stored) // 100)
    assert {key: name for page in got["pages"] for key, name in page.items()} == stored


def test_client_filters_and_sorts(got: dict[str, Any], sandbox: Sandbox) -> None:
    assert got["employees"] == sorted(got["employees"], reverse=True)
    assert len(got["employees"]) == sum(
        row["statecode"] == 0 and (row["numberofemployees"] or 0) > 1000
        for row in sandbox.rows("account")
    )


def test_client_reads_metadata(got: dict[str, Any]) -> None:
    assert got["entity_set"] == "new_projects"
    assert "account" in got["tables"]
    assert {"name", "revenue", "primarycontactid"} <= set(got["columns"])
    assert "customerid" in got["lookups"]


def test_client_understands_errors(got: dict[str, Any]) -> None:
    assert got["refusal"]["status"] == 400
    assert "Could not find a property named 'nothing'" in got["refusal"]["words"]
