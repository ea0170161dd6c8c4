"""Cache of rendered rows: the same pages as SQLite finds."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from sqlite3 import Connection
from threading import Thread

import pytest

from sandbox.data import rows
from sandbox.data.clock import Clock
from sandbox.data.store import Store
from sandbox.data.writing import Writer
from sandbox.dataverse.organisation import MODEL
from sandbox.faults.errors import ServiceError
from sandbox.query import rendering
from sandbox.query.pages import Pages
from sandbox.query.preferences import Preferences

ROOT = "http://localhost/api/data/v9.2/"
ORDERED = "$orderby=modifiedon%20asc,accountid%20asc"
QUERIES = {
    "by key": "",
    "by date": "$orderby=modifiedon",
    "by date and key": ORDERED,
    "by number": "$orderby=versionnumber%20asc",
    "columns": f"$select=name,revenue&{ORDERED}",
    "from": f"{ORDERED}&$filter=modifiedon%20ge%202022-01-01T00:00:00Z",
    "after": f"{ORDERED}&$filter=modifiedon%20gt%202022-01-01T00:00:00Z",
    "between": f"{ORDERED}&$filter=modifiedon%20ge%202021-01-01T00:00:00Z%20and%20"
    "modifiedon%20lt%202023-01-01T00:00:00Z",
    "the other way round": f"{ORDERED}&$filter=2021-01-01T00:00:00Z%20le%20modifiedon",
    "nothing": f"{ORDERED}&$filter=modifiedon%20gt%202099-01-01T00:00:00Z",
    "the first": f"{ORDERED}&$top=7",
    "with a count": f"{ORDERED}&$count=true",
    "another filter": f"{ORDERED}&$filter=name%20ne%20null",
    "a filter of a column not sorted by": "$filter=modifiedon%20ge%202022-01-01T00:00:00Z",
    "downwards": "$orderby=modifiedon%20desc",
}


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    store = Store(MODEL, rendering.add_functions)
    try:
        store.fill(rows.invent(MODEL, 0, 1, {"account": 400}))
        yield Pages(MODEL, store)
    finally:
        store.close()


@pytest.mark.parametrize("raw", QUERIES.values(), ids=QUERIES.keys())
@pytest.mark.parametrize("annotations", [(), ("*",)], ids=["plain", "annotated"])
def test_pages_with_the_cache_are_those_without(
    pages: Pages, raw: str, annotations: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    table, preferences = MODEL.by_name["account"], Preferences(90, annotations)

    def read() -> list[bytes]:
        found, link = [], raw
        while True:
            page = pages.page(table, ROOT, link, preferences)
            found.append(page)
            _, _, link = page.partition(b'"@odata.nextLink":"')[2].decode().partition("?")
            if not link:
                return found
            link = link.rstrip('"}')

    shelved = read()
    monkeypatch.setattr(pages.row_cache, "find", lambda *_: None)
    assert shelved == read()


@pytest.mark.parametrize("column", ["modifiedon", "versionnumber"])
def test_greatest_row_with_the_cache_is_that_without(
    pages: Pages, column: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read() -> bytes:
        raw = f"$select={column},name&$orderby={column}%20desc&$top=1"
        return pages.page(MODEL.by_name["account"], ROOT, raw, Preferences())

    shelved = read()
    monkeypatch.setattr(pages.row_cache, "find", lambda *_: None)
    assert shelved == read()


def test_literal_that_does_not_fit_is_refused(pages: Pages) -> None:
    with pytest.raises(ServiceError):
        pages.page(
            MODEL.by_name["account"], ROOT, f"{ORDERED}&$filter=modifiedon ge 'x'", Preferences()
        )


def test_cache_that_is_too_large_is_cleared(pages: Pages) -> None:
    pages.row_cache.most_bytes = 1
    table = MODEL.by_name["account"]
    first = pages.page(table, ROOT, "", Preferences())
    assert pages.page(table, ROOT, "", Preferences()) == first


def test_rows_after_the_first_batch_repeat_all_but_unique_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rows, "CHUNK", 40)
    store = Store(MODEL, rendering.add_functions)
    try:
        store.fill(rows.invent(MODEL, 0, 1, {"account": 110, "activitypointer": 0}))
        found = store.select("SELECT accountid, name, modifiedon FROM account ORDER BY rowid")
    finally:
        store.close()
    ids, names, moments = (list(column) for column in zip(*found, strict=True))
    assert len(set(ids)) == len(found) == 110
    assert moments == sorted(moments)
    assert names[80:] == names[:30]


class Changing:
    """Pages of a few accounts, and a way to do something when SQLite begins a statement."""

    def __init__(self) -> None:
        self.before: dict[str, Callable[[], object]] = {}
        self.store = Store(MODEL, self._listen)
        self.store.fill(rows.invent(MODEL, 0, 1, {"account": 5}))
        self.pages = Pages(MODEL, self.store)
        self.writer = Writer(MODEL, self.store, Clock())
        self.close = self.store.close

    def _listen(self, connection: Connection) -> None:
        rendering.add_functions(connection)
        connection.set_trace_callback(self._begins)

    def _begins(self, statement: str) -> None:
        for beginning in list(self.before):
            if statement.startswith(beginning):
                self.before.pop(beginning)()

    def ids(self) -> list[str]:
        """The ids on a page of all accounts."""
        raw = f"$select=accountid&{ORDERED}"
        page = self.pages.page(MODEL.by_name["account"], ROOT, raw, Preferences())
        return [row["accountid"] for row in json.loads(page)["value"]]


def test_row_that_is_deleted_is_gone_before_or_after_a_page() -> None:
    with closing(Changing()) as account:
        first, *others = account.ids()
        account.pages = Pages(MODEL, account.store)
        deleting = Thread(target=account.writer.delete, args=("account", first))

        def delete() -> None:
            deleting.start()
            deleting.join(timeout=1)

        account.before["SELECT rowid, "] = delete
        assert account.ids() == [first, *others]
        deleting.join()
        assert account.ids() == others


def test_rows_read_before_a_change_is_visible_are_not_cached() -> None:
    with closing(Changing()) as account:
        seen: list[list[str]] = []
        first, *others = account.ids()
        account.before["COMMIT"] = lambda: seen.append(account.ids())
        account.writer.delete("account", first)
        assert seen == [[first, *others]]
        assert account.ids() == others
