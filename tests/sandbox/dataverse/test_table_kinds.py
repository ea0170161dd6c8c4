"""Elastic and virtual tables, and columns with complex values."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.sandbox.api import Api


def test_elastic_table_has_the_same_id_in_two_partitions(api: Api) -> None:
    rows = api.rows("new_sensordatas", 7)
    ids = [row["new_sensordataid"] for row in rows]
    pairs = {(row["new_sensordataid"], row["partitionid"]) for row in rows}
    assert len(set(ids)) < len(ids) == len(pairs) == len(api.sandbox.rows("new_sensordata"))
    assert any(row["partitionid"] == row["new_sensordataid"] for row in rows)
    (twin, *_) = (key for key in ids if ids.count(key) > 1)
    partitions = {row["partitionid"] for row in rows if row["new_sensordataid"] == twin}
    for partition in partitions:
        row = api.read(f"new_sensordatas({twin})?$select=new_value&partitionId={partition}")
        assert row["partitionid"] == partition
    expected = 200 if twin in partitions else 404
    assert api.get(f"new_sensordatas({twin})").status_code == expected


def test_elastic_table_returns_columns_that_are_not_selected(api: Api) -> None:
    answer = api.read("new_sensordatas?$select=new_value")
    assert answer["@odata.context"].endswith("$metadata#new_sensordatas(new_value)")
    for row in answer["value"]:
        assert set(row) == {
            "@odata.etag",
            "new_value",
            "new_sensordataid",
            "versionnumber",
            "partitionid",
            "_ownerid_value",
            "_owningbusinessunit_value",
        }
        assert row["versionnumber"] > 2**59
        assert re.fullmatch(r'W/"[0-9a-f]{8}-0000-0200-0000-[0-9a-f]{8}0000"', row["@odata.etag"])


def test_elastic_table_has_pages_of_five_hundred_rows(api: Api) -> None:
    new = [{"partitionid": str(n), "new_value": n} for n in range(501)]
    before = {row["partitionid"] for row in api.sandbox.rows("new_sensordata")}
    api.sandbox.insert("new_sensordata", new)
    try:
        assert len(api.pages("new_sensordatas", 5_000)[0]) == 500
        latest = api.read("new_sensordatas?$orderby=versionnumber desc&$top=1")["value"][0]
        assert latest["partitionid"] not in before
    finally:
        for row in api.sandbox.rows("new_sensordata"):
            if row["partitionid"] not in before:
                key = f"{row['new_sensordataid']},{row['partitionid']}"
                api.sandbox.delete("new_sensordata", key)


@pytest.mark.parametrize("status", [400, 501])
def test_virtual_table_behaves_as_its_provider(api: Api, status: int) -> None:
    path = "new_externalorders?$select=modifiedon&$orderby=modifiedon"
    later = f"{path}&$filter=modifiedon ge 2022-01-01T00:00:00Z"
    assert api.refusal("new_externalorders")[1] == "0x80040800"
    assert provider(api) == "7015a531-cc0d-4537-b5f2-c882a1eb65ad"
    stored = {row["new_externalorderid"] for row in api.sandbox.rows("new_externalorder")}

    api.sandbox.configure(virtual_provider="ignores_order")
    assert provider(api) != "7015a531-cc0d-4537-b5f2-c882a1eb65ad"
    rows = api.rows(path, 7)
    moments, keys = zip(*((r["modifiedon"], r["new_externalorderid"]) for r in rows), strict=True)
    assert set(keys) == stored
    assert len(keys) == len(stored) == 40
    assert [*moments] != sorted(moments)
    assert [*keys] != sorted(keys)
    assert all(
        row["@odata.etag"] == f'W/"{{{key.upper()}}}"' for row, key in zip(rows, keys, strict=True)
    )
    link = api.read(path, Prefer="odata.maxpagesize=7")["@odata.nextLink"]
    assert re.search(r"pagingcookie=%22[A-Za-z0-9/%=]+%22%20istracking=%22False%22%20/%3E$", link)
    assert "@odata.nextLink" not in api.read(f"{path}&$top=7")
    assert 0 < len(api.rows(later, 7)) < 40

    api.sandbox.configure(virtual_provider="refuses_order", virtual_provider_status=status)
    assert api.refusal(path)[:2] == (status, "0x80040224")
    assert len(api.rows(later.replace("&$orderby=modifiedon", ""))) > 0
    api.sandbox.configure(virtual_provider="refuses_filter")
    assert api.refusal(later)[:2] == (status, "0x80040224")
    assert len(api.rows(path, 7)) == 40


def provider(api: Api) -> str:
    """The data provider of the virtual table, as the metadata tells it."""
    answer = api.read("EntityDefinitions(LogicalName='new_externalorder')?$select=DataProviderId")
    found: str = answer["DataProviderId"]
    return found


def test_complex_column_is_an_object_in_rows_and_metadata(api: Api) -> None:
    row = api.rows("bots?$select=iscustomizable,overwritetime")[0]
    assert set(row["iscustomizable"]) == {"Value", "CanBeChanged", "ManagedPropertyLogicalName"}
    assert row["overwritetime"] == "1900-01-01T00:00:00Z"
    document = api.get("$metadata").text
    assert '<Property Name="iscustomizable" Type="mscrm.BooleanManagedProperty" />' in document
    attribute: dict[str, Any] = api.read(
        "EntityDefinitions(LogicalName='bot')/Attributes(LogicalName='iscustomizable')"
    )
    assert attribute["AttributeType"] == "ManagedProperty"
    new = {"iscustomizable": {"Value": True, "CanBeChanged": False}}
    key = api.sandbox.insert("bot", [new])[0]["botid"]
    try:
        text = api.get(f"bots({key})?$select=iscustomizable").text
        assert json.dumps(new["iscustomizable"], separators=(",", ":")) in text
    finally:
        api.sandbox.delete("bot", key)


def test_audit_returns_columns_that_are_not_selected(api: Api) -> None:
    row = api.read("audits?$select=createdon&$top=1")["value"][0]
    assert set(row) == {"createdon", "auditid", "transactionid", "attributemask"}
