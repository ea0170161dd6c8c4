"""Faults that change the sandbox in the middle of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.client import running
from tests.sandbox.api import Api

if TYPE_CHECKING:
    import pytest


def test_change_is_made_before_the_request_that_it_waits_for(api: Api) -> None:
    key = api.sandbox.rows("account")[0]["accountid"]
    before = api.sandbox.rows("account")[0]["name"]
    api.sandbox.fault(r"accounts\(", skip=1, change=["PATCH", f"rows/account/{key}", {"name": "é"}])
    names = [api.read(f"accounts({key})?$select=name")["name"] for _ in range(3)]
    assert names == [before, "é", "é"]
    api.sandbox.update("account", key, {"name": before})


def test_change_and_failure_come_together(api: Api) -> None:
    order = ["POST", "configure", {"forbidden_tables": ["account"]}]
    api.sandbox.fault("accounts", change=order, status=503)
    assert [api.get("accounts?$top=1").status_code for _ in range(2)] == [503, 403]


def test_change_that_is_refused_fails_the_request(capfd: pytest.CaptureFixture[str]) -> None:
    with running(rows=10) as sandbox:
        sandbox.fault("accounts", change=["DELETE", "rows/nothing/1"])
        assert Api(sandbox).get("accounts").status_code == 500
    assert "The entity with a name = 'nothing'" in capfd.readouterr().err
