"""Refusals of a sign-in host: parsed, classified and reported with advice."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tap_dynamics365.auth import refusals
from tap_dynamics365.redaction import LONGEST
from tap_dynamics365.settings import JSON_SCHEMA

CORRELATION_ID = "5a4db0c0-1111-2222-3333-5a4db0c05a4d"
TRACE_ID = "5a4db0c0-aaaa-bbbb-cccc-5a4db0c05a4d"


def body(code: int, text: str, *, separator: str = " ", error: str = "invalid_grant") -> str:
    """Encode a refusal as Microsoft Entra ID does."""
    noise = f"Trace ID: {TRACE_ID}{separator}Correlation ID: {CORRELATION_ID}{separator}"
    description = f"AADSTS{code}: {text}{separator}{noise}Timestamp: 2026-01-31 08:00:00Z"
    answer = {
        "error": error,
        "error_description": description,
        "error_codes": [code],
        "timestamp": "2026-01-31 08:00:00Z",
        "trace_id": TRACE_ID,
        "correlation_id": CORRELATION_ID,
        "error_uri": f"https://login.microsoftonline.com/error?code={code}",
    }
    return json.dumps(answer)


def sentence_of(content: str) -> str:
    """Read a refusal and return its sentence."""
    refusal = refusals.read(content)
    assert refusal is not None
    return refusal.sentence


@pytest.mark.parametrize("separator", [" ", "\r\n", "\n"])
def test_refusal_has_code_description_and_correlation_id_only(separator: str) -> None:
    text = (
        "The refresh token has expired due to inactivity. The token was issued on "
        "2025-01-01T00:00:00.0000000Z and was inactive for 90.00:00:00."
    )
    sentence = sentence_of(body(700082, text, separator=separator))
    assert sentence.startswith("AADSTS700082: The refresh token has expired due to inactivity. To")
    assert "dynamics365 login" in sentence
    assert sentence.endswith(f"Correlation ID: {CORRELATION_ID}.")
    for noise in (TRACE_ID, "Timestamp", "\n", "\r", "issued on"):
        assert noise not in sentence


ADVISED = {
    70008: "dynamics365 login",
    700082: "dynamics365 login",
    700084: "24 hours",
    50173: "revoked",
    70043: "dynamics365 login",
    50076: "dynamics365 login",
    50079: "dynamics365 login",
    53003: "administrator",
    65001: "consent",
    7000215: "client_secret",
    70002: "client_secret",
    7000222: "new secret",
    700025: "client_secret",
    700016: "client_id",
    90002: "token_uri",
    500011: "service_url",
    700027: "client_certificate",
    54005: "again",
    70000: "refresh_token",
    50196: "wait",
    50053: "wait",
    70016: "browser",
}


@pytest.mark.parametrize(("code", "words"), ADVISED.items())
def test_refusal_with_a_known_code_has_advice(code: int, words: str) -> None:
    sentence = sentence_of(body(code, "What happened. More of it."))
    assert sentence.startswith(f"AADSTS{code}: What happened. ")
    assert words in sentence
    assert "More of it" not in sentence


@pytest.mark.parametrize(
    ("error", "words"),
    [("invalid_client", "client_secret"), ("invalid_grant", "dynamics365 login")],
)
def test_refusal_without_a_code_has_the_advice_of_its_error(error: str, words: str) -> None:
    sentence = sentence_of(json.dumps({"error": error, "error_description": "no such thing"}))
    assert sentence.startswith("no such thing. To go on, ")
    assert words in sentence


@pytest.mark.parametrize("advice", [*refusals.ADVICE.values(), *refusals.ADVICE_BY_ERROR.values()])
def test_advice_names_only_settings_that_exist(advice: str) -> None:
    for name in re.findall(r"\b[a-z]+_[a-z_]+\b", advice):
        assert name in JSON_SCHEMA["properties"] or name == "user_impersonation"
    assert advice[0].islower()
    assert not advice.endswith(".")


def test_refusal_with_an_unknown_code_has_the_whole_description() -> None:
    sentence = sentence_of(body(99999, "Something new. With a second sentence."))
    assert sentence.startswith("AADSTS99999: Something new. With a second sentence. Correlation")


@pytest.mark.parametrize("code", sorted(refusals.TRANSIENT_CODES))
def test_refusal_with_a_transient_code_is_transient(code: int) -> None:
    refusal = refusals.read(body(code, "For a moment."))
    assert refusal is not None
    assert refusal.is_transient


@pytest.mark.parametrize("code", sorted(ADVISED))
def test_refusal_with_a_permanent_code_is_not_transient(code: int) -> None:
    refusal = refusals.read(body(code, "For good."))
    assert refusal is not None
    assert not refusal.is_transient


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"error": "invalid_client"}, "invalid_client."),
        ({"error": "invalid_grant", "error_description": ""}, "invalid_grant."),
        ({"error": "x", "error_description": "No full stop"}, "No full stop."),
        ({"error": "x", "error_description": "Really?"}, "Really?"),
        ({"error": {"code": "0x1", "message": "A gateway's own."}}, "A gateway's own."),
        ({"error": "x", "error_description": "a\x1b[31mb\x00c\u2028d"}, "a [31mb c d."),
    ],
)
def test_refusal_of_another_host_is_reported_in_its_words(
    answer: dict[str, Any], words: str
) -> None:
    assert sentence_of(json.dumps(answer)).startswith(words)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", "null", '"words"', '{"error":', "<html>", '{"error": 5}', '{"error": {}}',
     '{"error_description": ["x"]}', '{"error": {"message": {}}}', "[" * 100_000],
)  # fmt: skip
def test_answer_outside_oauth_is_not_a_refusal(content: str) -> None:
    assert refusals.read(content) is None


def test_secret_in_a_refusal_is_redacted() -> None:
    secrets = ["s8Q~/+=&x y", "other"]
    text = "It was s8Q~/+=&x y, s8Q~%2F%2B%3D%26x%20y and s8Q~%2F%2B%3D%26x+y, not other"
    refusal = refusals.read(json.dumps({"error": "x", "error_description": text}), secrets)
    assert refusal is not None
    assert refusal.sentence == "It was …, … and …, not …"


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=8,
)
WORDS = st.one_of(
    JSON,
    st.text(st.characters()),
    st.lists(
        st.one_of(
            st.sampled_from(
                ["AADSTS", "700082", ": ", "Trace ID:", "Correlation ID: ", CORRELATION_ID, ". A"]
            ),
            st.text(max_size=5),
        )
    ).map("".join),
)
ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        "error": WORDS,
        "error_description": WORDS,
        "error_codes": JSON,
        "correlation_id": JSON,
    },
)


@given(st.one_of(ANSWERS, JSON).map(json.dumps) | st.text() | st.binary())
@example('{"error": "x", "error_description": "\\ud800"}')
@example('{"error": "x", "error_codes": [1e400]}')
@example(json.dumps({"error": "x", "error_description": "AADSTS" + "9" * 5000}))
def test_answer_of_any_content_is_one_printable_line_or_not_a_refusal(content: str | bytes) -> None:
    refusal = refusals.read(content)
    if refusal is None:
        return
    sentence = refusal.sentence
    assert sentence.encode()
    assert len(sentence.splitlines()) == 1
    assert sentence.isprintable() or not re.search(r"[\x00-\x1f\x7f-\x9f]", sentence)
    assert len(refusal.words) <= LONGEST + 2


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1).filter(str.strip),
    st.sampled_from([*refusals.ADVICE, 99999]),
)
def test_refusal_of_any_description_has_code_and_correlation_id(text: str, code: int) -> None:
    refusal = refusals.read(body(code, text))
    assert refusal is not None
    assert refusal.code == code
    assert f"AADSTS{code}" in refusal.sentence
    assert CORRELATION_ID in refusal.sentence
