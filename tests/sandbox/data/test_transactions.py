"""Transactions: rows that become visible late, and the service's clock."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.client import SandboxError

if TYPE_CHECKING:
    from tests.sandbox.api import Api

TRACK = "odata.track-changes"
EARLY, LATE = "2030-01-01T00:00:00Z", "2030-01-01T00:01:00Z"
NEWEST = "leads?$select=subject,modifiedon,versionnumber&$orderby=versionnumber desc"


def test_late_row_becomes_visible_after_a_newer_one(api: Api) -> None:
    sandbox = api.sandbox
    sandbox.configure(clock=EARLY)
    late = sandbox.begin("lead", insert=[{"subject": "late"}])
    sandbox.configure(clock=LATE)
    sandbox.insert("lead", [{"subject": "early"}])
    assert api.rows(NEWEST)[0]["subject"] == "early"
    late.commit()
    newest, second = api.rows(NEWEST)[:2]
    assert (newest["subject"], second["subject"]) == ("early", "late")
    assert second["versionnumber"] < newest["versionnumber"]
    assert (second["modifiedon"], newest["modifiedon"]) == (EARLY, LATE)
    assert late.keys[0]["leadid"] == second["leadid"]


def test_updates_and_deletes_can_be_late_or_rolled_back(api: Api) -> None:
    sandbox = api.sandbox
    one, two = (
        key["leadid"] for key in sandbox.insert("lead", [{"subject": "one"}, {"subject": "two"}])
    )
    change: dict[str, Any] = {"update": {one: {"subject": "changed"}}, "delete": [two]}

    def subjects() -> list[str]:
        return [row["subject"] for row in sandbox.rows("lead") if row["leadid"] in {one, two}]

    never = sandbox.begin("lead", **change)
    never.roll_back()
    late = sandbox.begin("lead", **change)
    assert sorted(subjects()) == ["one", "two"]
    late.commit()
    assert subjects() == ["changed"]
    with pytest.raises(SandboxError, match="no open transaction"):
        late.commit()


def test_delta_token_does_not_pass_an_open_transaction(api: Api) -> None:
    sandbox = api.sandbox
    late = sandbox.begin("lead", insert=[{"subject": "late"}])
    sandbox.insert("lead", [{"subject": "meanwhile"}])
    link = api.read("leads", Prefer=TRACK)["@odata.deltaLink"]
    late.commit()
    subjects = [row["subject"] for row in api.read(link)["value"]]
    assert subjects == ["late", "meanwhile"]


def test_clock_of_the_service_can_differ(api: Api) -> None:
    sandbox = api.sandbox
    here = parsedate_to_datetime(api.get("WhoAmI").headers["Date"])
    sandbox.configure(clock_offset=3_600)
    ahead = parsedate_to_datetime(api.get("WhoAmI").headers["Date"])
    assert (ahead - here).total_seconds() >= 3_600
    sandbox.configure(clock=EARLY)
    assert api.get("WhoAmI").headers["Date"] == "Tue, 01 Jan 2030 00:00:00 GMT"
    (key,) = sandbox.insert("lead", [{}])
    assert api.read(f"leads({key['leadid']})")["modifiedon"] == EARLY
    link = api.read("leads", Prefer=TRACK)["@odata.deltaLink"]
    assert link.endswith("%2101%2f01%2f2030%2000%3a00%3a00")


def test_transaction_can_be_committed_by_a_request(api: Api) -> None:
    sandbox = api.sandbox
    sandbox.configure(clock=EARLY)
    change = sandbox.begin("lead", insert=[{"subject": "in between"}], late=False)
    sandbox.configure(clock=LATE)
    sandbox.fault("leads", skip=1, commit=change.number)
    path = "leads?$filter=subject eq 'in between'"
    assert api.read(path)["value"] == []
    assert [row["modifiedon"] for row in api.read(path)["value"]] == [LATE]
