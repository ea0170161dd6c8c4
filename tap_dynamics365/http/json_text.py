r"""JSON as services write it: repair of values that are written in ways that JSON does not have.

A text that was cut in the middle of an emoji holds half of a UTF-16 surrogate pair. Services write
it as an escape (`"\ud83d"`), which RFC 8259, section 8.2, permits. It can't be passed on: targets
fail where they encode it, or databases refuse it.

Some gateways and add-ins write JSON by hand: with escapes of JavaScript, text that is not UTF-8, or
numbers such as `.5`. Such an answer comes again as it is, however often it is asked for. What is
within a string or a number is therefore repaired, where all around is whole; anything else that is
not JSON is damage of the transfer. A byte that is damaged on the way can't be told from one that
the service wrote, but encryption and compression detect such damage.

    body, repairs = readable(response.content)
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8

import msgspec

# What is done to values, as the log says it.
HALVES = "half characters, such as of an emoji that was cut in two, are replaced by U+FFFD"
NOT_NUMBERS = "NaN, Infinity and undefined, which JSON does not have, are null"
ESCAPES = r"of escapes that JSON does not have, such as \x41, the backslash is left out"
BYTES = "bytes that are not UTF-8 are replaced by U+FFFD"
NUMBERS = "numbers in a form that JSON does not have, such as .5 or 01, are rewritten"
NO_NUMBERS = "digits and signs that are no number, such as 1.2.3, are null"

# A string, to the end of the body if it is not closed, so that a search takes linear time; or what
# stands between white space and the signs of arrays and objects.
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\Z)|[^"\s\[\]{}:,]+', re.DOTALL)
_WORD = re.compile(rb"[+-]?(?:NaN|Infinity)|undefined")
_NUMBER = re.compile(rb"(?P<sign>[+-]?)(?P<whole>\d*)\.?(?P<rest>\d*)(?P<power>(?:[eE][+-]?\d+)?)")
_LIKE_NUMBER = re.compile(rb"(?=.*\d)[-+.\deE]+")
# Any escape: a surrogate pair, half of one, another that JSON has, or one that it has not.
# `\\ud83d` is an escaped backslash.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|u[0-9a-fA-F]{4}|[\"\\/bfnrt]|(?P<unknown>))",
)
_CONTROL = re.compile(rb"[\x00-\x1f]")
# In UTF-8 it stands for nothing, nor for a letter in most encodings that a service may take for it.
_DAMAGE = b"\xff"

# One JSON value and nothing else; none of it is kept.
_any = msgspec.json.Decoder(msgspec.Raw)


def readable(body: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Make JSON readable.

    Args:
        body: What was received.

    Returns:
        The body, the very same if nothing had to be repaired; and what was done to values, as the
        log says it, if they are not what the service sent.

    Raises:
        msgspec.DecodeError: It is not JSON: cut off, or damaged on its way.
        UnicodeDecodeError: It is not text.
        RecursionError: It is nested too deeply.
    """
    try:
        _check(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        repaired, repairs = _repaired(body.removeprefix(BOM_UTF8))
        _check(repaired)
        return repaired, repairs
    return body, ()


def _check(body: bytes) -> None:
    _any.decode(body.removeprefix(BOM_UTF8))
    body.decode()


def _repaired(body: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Repair strings and numbers; what else there is stays, and is found by whoever reads it."""
    repairs: set[str] = set()

    def escape(match: re.Match[bytes]) -> bytes:
        if match["unknown"] is not None:
            repairs.add(ESCAPES)
            return b""
        if match["half"] is not None:
            repairs.add(HALVES)
            return rb"\ufffd"
        return match[0]

    def token(match: re.Match[bytes]) -> bytes:
        text = match[0]
        if text[:1] != b'"':
            word, repair = _word(text)
            repairs.update(repair)
            return word
        text, repair = _utf8(text)
        repairs.update(repair)
        if b"\\" in text:
            text = _ESCAPE.sub(escape, text)
        # Written as they are, control characters are not valid: escaped, they say the same.
        return _CONTROL.sub(lambda control: b"\\u%04x" % ord(control[0]), text)

    body = _TOKEN.sub(token, body)
    return body, tuple(sorted(repairs))


def _word(word: bytes) -> tuple[bytes, set[str]]:
    """Write a value as JSON has it, if it is meant for a number or for none."""
    if _WORD.fullmatch(word):
        return b"null", {NOT_NUMBERS}
    if not _LIKE_NUMBER.fullmatch(word):
        return word, set()
    number = _NUMBER.fullmatch(word)
    if number is None or not (number["whole"] or number["rest"]):
        return b"null", {NO_NUMBERS}
    whole, rest = number["whole"].lstrip(b"0") or b"0", number["rest"]
    sign = number["sign"].replace(b"+", b"")
    written = sign + whole + (b"." + rest if rest else b"") + number["power"]
    return written, set() if written == word else {NUMBERS}


def _utf8(text: bytes) -> tuple[bytes, set[str]]:
    """Write a string in UTF-8, unless its bytes are those of no text."""
    try:
        text.decode()
    except UnicodeDecodeError:
        if _DAMAGE in text:
            return text, set()
    else:
        return text, set()
    try:
        # Halves of pairs may be written as they are too (CESU-8).
        wide = text.decode(errors="surrogatepass").encode("utf-16-le", errors="surrogatepass")
    except UnicodeDecodeError:
        return text.decode(errors="replace").encode(), {BYTES}
    return wide.decode("utf-16-le", errors="replace").encode(), {HALVES}
