"""Change tracking."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

if TYPE_CHECKING:
    from tests.sandbox.api import Api

TRACK = "odata.track-changes"


def _all(
    api: Api, path: str, size: int = 5000, prefer: str = ""
) -> tuple[list[dict[str, Any]], str]:
    """All entries, and the delta link of the last page."""
    rows = []
    while True:
        answer = api.read(path, Prefer=f"{prefer}odata.maxpagesize={size}")
        rows += answer["value"]
        if "@odata.nextLink" not in answer:
            return rows, answer["@odata.deltaLink"]
        assert "@odata.deltaLink" not in answer
        path = answer["@odata.nextLink"]


def test_first_read_ends_with_a_delta_link(api: Api) -> None:
    response = api.get("leads?$select=subject", Prefer=TRACK)
    assert response.headers["Preference-Applied"] == TRACK
    names = list(response.json())
    assert names.index("@odata.deltaLink") < names.index("value")
    link = response.json()["@odata.deltaLink"]
    assert link.startswith(f"{api.sandbox.service_url}leads?$select=subject&$deltatoken=")
    token = link.partition("$deltatoken=")[2]
    assert re.fullmatch(r"\d+%21\d\d%2f\d\d%2f\d{4}%20\d\d%3a\d\d%3a\d\d", token)
    rows, _ = _all(api, "leads?$select=subject", 50, f"{TRACK},")
    assert [r["leadid"] for r in rows] == [r["leadid"] for r in api.sandbox.rows("lead")]


def test_delta_has_changes_before_deletes(api: Api) -> None:
    sandbox = api.sandbox
    _, link = _all(api, "leads?$select=subject", prefer=f"{TRACK},")
    assert _all(api, link)[0] == []
    one, two, three = (
        key["leadid"] for key in sandbox.insert("lead", [{"subject": s} for s in ("a", "b", "c")])
    )
    sandbox.update("lead", one, {"subject": "a again"})
    sandbox.delete("lead", two)
    entries, later = _all(api, link)
    assert [entry.get("leadid", entry.get("id")) for entry in entries] == [three, one, two]
    assert [entry.get("subject") for entry in entries] == ["c", "a again", None]
    assert entries[2] == {
        "@odata.context": f"{sandbox.service_url}$metadata#leads/$deletedEntity",
        "id": two,
        "reason": "deleted",
    }
    assert set(entries[0]) == {"@odata.etag", "subject", "leadid"}
    token = link.partition("?")[2]
    assert api.get(f"leads/$count?{token}").text == "3"
    assert _all(api, link, 1)[0] == entries
    assert api.read(link)["@odata.context"].endswith("$metadata#leads(subject)/$delta")
    assert _all(api, later)[0] == []
    for key in (one, three):
        sandbox.delete("lead", key)
    assert [entry["id"] for entry in _all(api, later)[0]] == [one, three]


def test_change_during_the_first_read_is_in_the_delta(api: Api) -> None:
    sandbox = api.sandbox
    first = api.read("products?$select=name", Prefer=f"{TRACK},odata.maxpagesize=5")
    assert 'istracking="True"' in unquote(first["@odata.nextLink"])
    key = first["value"][0]["productid"]
    sandbox.update("product", key, {"name": "Changed"})
    rows, link = _all(api, first["@odata.nextLink"])
    assert key not in {row["productid"] for row in rows}
    assert [entry["name"] for entry in _all(api, link)[0]] == ["Changed"]


def test_row_that_is_deleted_and_restored_is_not_a_delete(api: Api) -> None:
    sandbox = api.sandbox
    _, link = _all(api, "lists", prefer=f"{TRACK},")
    row = sandbox.rows("list")[0]
    sandbox.delete("list", row["listid"])
    sandbox.insert("list", [{"listid": row["listid"], "listname": "Back"}])
    entries, _ = _all(api, link)
    assert [entry.get("listname") for entry in entries] == ["Back"]


def test_row_inserted_and_deleted_between_two_reads_is_a_delete(api: Api) -> None:
    sandbox = api.sandbox
    _, link = _all(api, "leads", prefer=f"{TRACK},")
    (key,) = sandbox.insert("lead", [{"subject": "short-lived"}])
    sandbox.delete("lead", key["leadid"])
    entries, _ = _all(api, link)
    assert [(entry["id"], entry["reason"]) for entry in entries] == [(key["leadid"], "deleted")]


def test_delta_link_can_be_withheld(api: Api) -> None:
    wish = 'odata.include-annotations="*"'
    link = api.read("leads", Prefer=f"{TRACK},{wish}")["@odata.deltaLink"]
    api.sandbox.configure(delta_links_beside_annotations=False)
    for path, prefer in (("leads", f"{TRACK},{wish}"), (link, wish)):
        assert "@odata.deltaLink" not in api.read(path, Prefer=prefer)
        assert "@odata.deltaLink" in api.read(path, Prefer=TRACK)
    api.sandbox.configure(delta_links=False)
    assert "@odata.deltaLink" not in api.read("leads", Prefer=TRACK)
    assert "@odata.deltaLink" not in api.read(link)


def test_tracked_read_needs_the_privilege_for_all_rows(api: Api) -> None:
    link = api.read("leads", Prefer=TRACK)["@odata.deltaLink"]
    api.sandbox.configure(forbidden_tracking=["lead"])
    for path, prefer in (("leads", TRACK), (link, "")):
        assert api.refusal(path, Prefer=prefer)[:2] == (403, "0x80040220")
    assert api.read("leads")["value"]


@pytest.mark.parametrize("name", ["filter=name eq 'x'", "orderby=name", "top=3", "expand=x"])
def test_tracked_read_with_other_options_is_refused(api: Api, name: str) -> None:
    status, _, message = api.refusal(f"accounts?${name}", Prefer=TRACK)
    assert status == 400
    option = name.partition("=")[0]
    words = f'The "{option}" query parameter isn\'t supported when Change Tracking is enabled.'
    assert message == words


@pytest.mark.parametrize(
    ("name", "code"), [("territories", "0x80072491"), ("listmembers", "0x80072492")]
)
def test_table_that_is_not_tracked_is_refused(api: Api, name: str, code: str) -> None:
    assert api.refusal(name, Prefer=TRACK)[:2] == (400, code)


def test_delta_token_that_has_expired_is_refused(api: Api) -> None:
    expired = (400, "0x80044352")
    assert api.refusal("teams?$deltatoken=919042%2108%2f22%2f2017%2008%3a10%3a44")[:2] == expired
    assert api.refusal("teams?$deltatoken=nonsense")[0] == 400
    _, link = _all(api, "teams", prefer=f"{TRACK},")
    api.sandbox.expire_delta_tokens()
    assert api.refusal(link)[:2] == expired
    _, link = _all(api, "teams", prefer=f"{TRACK},")
    assert _all(api, link)[0] == []


def test_intersect_tables_and_activities_are_tracked(api: Api) -> None:
    for name in ("teammemberships", "activitypointers"):
        rows, link = _all(api, name, prefer=f"{TRACK},")
        assert rows
        assert _all(api, link)[0] == []
    task = api.sandbox.rows("task")[0]["activityid"]
    api.sandbox.delete("task", task)
    assert [entry["id"] for entry in _all(api, link)[0]] == [task]
