"""Whatever comes in: data, or an error of the tap's own. See the tests of each parser for more."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tap_dynamics365.auth.tenant import from_challenge
from tap_dynamics365.auth.token_endpoint import TokenEndpoint, Tokens
from tap_dynamics365.errors import Dynamics365Error, MetadataError
from tap_dynamics365.http.budgets import Budgets, number
from tap_dynamics365.odata import csdl
from tap_dynamics365.odata.keyset import Keyset
from tap_dynamics365.odata.page import single, split
from tap_dynamics365.services.dataverse.kind import DATAVERSE
from tap_dynamics365.singer.encoder import Encoder
from tests.servers.scripted import answer, serving
from tests.singer.test_encoder import answer as page

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda part: st.lists(part, max_size=4) | st.dictionaries(st.text(), part, max_size=4),
    max_leaves=10,
)
COLUMNS: dict[str, Any] = {
    "id": {"type": ["string"]},
    "n": {"type": ["number", "null"]},
    "o": {"type": ["object", "null"]},
    "p": {"type": ["object", "null"], "properties": {"a": {"type": ["string", "null"]}}},
    "l": {"type": ["array", "null"], "items": {"type": ["string"]}},
}
ROWS = st.lists(
    st.dictionaries(st.sampled_from([*COLUMNS, "@odata.etag", "other"]), JSON, max_size=6),
    max_size=4,
)
PAGES = st.fixed_dictionaries(
    {}, optional={"value": ROWS | JSON, "@odata.nextLink": JSON, "@odata.context": JSON}
)
codec = Encoder("table", {"properties": COLUMNS}, lambda _: True, key="id")
keyset = Keyset("id", (), COLUMNS)
fuzzing = settings(suppress_health_check=[HealthCheck.too_slow])


def mangled(document: bytes) -> st.SearchStrategy[bytes]:
    """Cut a document, or put something into it."""
    places = st.integers(0, len(document))
    return st.builds(
        lambda begin, end, more: document[:begin] + more + document[end:],
        places,
        places,
        st.binary(max_size=4),
    )


@fuzzing
@given(
    st.one_of(
        PAGES.map(json.dumps).map(str.encode),
        PAGES.map(json.dumps).map(str.encode).flatmap(mangled),
        st.binary(),
    )
)
@example(b"[" * 100_000)
@example(b'{"value":[{"o":' + b'{"a":' * 100_000)
@example(b'{"value":[{"id":"a","n":1e999999999}]}')
def test_whatever_a_page_is_its_lines_are_messages_or_it_is_refused(body: bytes) -> None:
    with suppress(Dynamics365Error):
        for piece in codec.page(split(page(body), DATAVERSE.dialect)).pieces:
            lines = piece.content.splitlines()
            assert len(lines) == piece.rows
            for line in lines:
                message = json.loads(line)
                assert message["type"] == "RECORD"
                assert set(message["record"]) == set(COLUMNS)
    for read in (codec.changes, keyset.locate, lambda given: single(given, "id")):
        with suppress(Dynamics365Error):
            read(split(page(body), DATAVERSE.dialect))


class _Says:
    """A session whose host gives one answer; nothing of the tap takes part in it."""

    def __init__(self, body: bytes, status: int) -> None:
        self.given = requests.Response()
        self.given.status_code, self.given._content = status, body  # noqa: SLF001
        self.given.url = "https://host.invalid/token"

    def post(self, *_: object, **__: object) -> requests.Response:
        """Give it."""
        return self.given


TOKENS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("access_token", "refresh_token", "expires_in", "error", "error_description"), JSON
    ),
)


@fuzzing
@given(
    st.one_of(TOKENS.map(json.dumps).map(str.encode), st.binary()),
    st.sampled_from([200, 400, 401, 429, 503]),
)
@example(b"[" * 100_000, 200)
@example(b'{"access_token": "x", "expires_in": 1e999}', 200)
@example(b'{"access_token": "x", "expires_in": ' + b"9" * 5_000 + b"}", 200)
def test_whatever_a_sign_in_host_answers_is_tokens_or_a_refusal(body: bytes, status: int) -> None:
    host: Any = _Says(body, status)
    with suppress(Dynamics365Error):
        tokens = TokenEndpoint("https://host.invalid/token", host).request({"client_secret": "s"})
        assert isinstance(tokens, Tokens)
        assert status == requests.codes.ok
        assert tokens.access_token.isascii()
        assert tokens.expires_in is None or tokens.expires_in > 0


@given(st.text())
def test_whatever_a_challenge_is_it_names_a_tenant_or_is_refused(challenge: str) -> None:
    with suppress(Dynamics365Error):
        assert from_challenge(challenge, "host").token_uri.startswith("https://login.")


@given(st.text(), st.text())
def test_whatever_the_headers_of_limits_say_they_do_no_harm(time: str, burst: str) -> None:
    limits = Budgets(DATAVERSE.dialect.budgets)
    limits.answered(
        {
            "x-ms-ratelimit-time-remaining-xrm-requests": time,
            "x-ms-ratelimit-burst-remaining-xrm-requests": burst,
        }
    )
    assert "\n" not in limits.summary()
    assert number(time) is None or number(time) >= 0  # type: ignore[operator]


LAUGHS = "".join(f'<!ENTITY l{level} "{f"&l{level - 1};" * 10}">' for level in range(1, 10))
DOCUMENTS = {
    "a billion laughs": f'<!DOCTYPE x [<!ENTITY l0 "ha">{LAUGHS}]><x>&l9;</x>',
    "one large entity many times": (
        f'<!DOCTYPE x [<!ENTITY a "{"a" * 100_000}">]><x>{"&a;" * 10_000}</x>'
    ),
    "an entity in an attribute": '<!DOCTYPE x [<!ENTITY a "a">]><x y="&a;"/>',
    "an external entity": '<!DOCTYPE x [<!ENTITY a SYSTEM "{url}">]><x>&a;</x>',
    "an external document type": '<!DOCTYPE x SYSTEM "{url}"><x/>',
    "a public document type": '<!DOCTYPE x PUBLIC "-//x//y" "{url}"><x/>',
    "a parameter entity": '<!DOCTYPE x [<!ENTITY % a SYSTEM "{url}"> %a;]><x/>',
    "an unparsed entity": '<!DOCTYPE x [<!NOTATION n SYSTEM "{url}">]><x/>',
}


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS.keys())
def test_entities_are_refused_and_nothing_is_fetched(document: str) -> None:
    with serving(answer(b"<!ENTITY a 'fetched'>")) as server:
        text = document.replace("{url}", f"{server.url}/entity")
        with pytest.raises(MetadataError) as caught:
            csdl.read([text.encode()])
    assert server.asked == []
    assert "fetched" not in caught.value.message
    assert len(caught.value.message) < 1_000
