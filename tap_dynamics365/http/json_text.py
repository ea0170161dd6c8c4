r"""JSON repair: replaces values that services write in forms that JSON does not allow.

A text that was cut in the middle of an emoji contains half of a UTF-16 surrogate pair. Services
write it as an escape (`"\ud83d"`), which RFC 8259, section 8.2, permits. The tap can't pass it on:
targets can't encode it, or databases refuse it.

Some gateways and add-ins write JSON by hand: with JavaScript escapes, text that is not UTF-8, or
numbers such as `.5`. A retry does not help, because the service sends the same response again.
Therefore strings and numbers are repaired if the text around them is valid. Anything else that is
not JSON is treated as damage of the transfer. A byte that was damaged during the transfer looks
like a byte that the service wrote, but encryption and compression detect such damage.

    body, repairs = readable(response.content)
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8

import msgspec

# Descriptions of the repairs, for the log.
HALVES = "halves of surrogate pairs, such as of an emoji that was cut, are replaced by U+FFFD"
NOT_NUMBERS = "NaN, Infinity and undefined, which JSON does not have, are replaced by null"
ESCAPES = r"in escapes that JSON does not have, such as \x41, the backslash is removed"
BYTES = "bytes that are not UTF-8 are replaced by U+FFFD"
NUMBERS = "numbers in a form that JSON does not have, such as .5 or 01, are rewritten"
NO_NUMBERS = "digits and signs that are not a number, such as 1.2.3, are replaced by null"

# A string, or a sequence of other characters without white space and punctuation. A string that
# is not closed reaches to the end of the body, so that the search takes linear time.
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\Z)|[^"\s\[\]{}:,]+', re.DOTALL)
_WORD = re.compile(rb"[+-]?(?:NaN|Infinity)|undefined")
_NUMBER = re.compile(rb"(?P<sign>[+-]?)(?P<whole>\d*)\.?(?P<rest>\d*)(?P<power>(?:[eE][+-]?\d+)?)")
_LIKE_NUMBER = re.compile(rb"(?=.*\d)[-+.\deE]+")
# Any escape: a surrogate pair, half of one, another escape of JSON, or an unknown escape.
# `\\ud83d` is an escaped backslash.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|u[0-9a-fA-F]{4}|[\"\\/bfnrt]|(?P<unknown>))",
)
_CONTROL = re.compile(rb"[\x00-\x1f]")
# This byte never occurs in UTF-8, and is no letter in most encodings that a service may confuse
# with UTF-8.
_DAMAGE = b"\xff"

# Checks that a text is one JSON value, without building the value.
_any = msgspec.json.Decoder(msgspec.Raw)


def readable(body: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Repair a body that is almost JSON.

    Args:
        body: The body of a response.

    Returns:
        The repaired body, and descriptions of the repairs that changed values. The body is the
        same object if it is valid JSON.

    Raises:
        msgspec.DecodeError: The body is not JSON: it is cut off or damaged.
        UnicodeDecodeError: The body is not text.
        RecursionError: The values are nested too deeply.
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
    """Repair strings and numbers, and leave the rest of the body as it is."""
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
        # JSON allows control characters only as escapes.
        return _CONTROL.sub(lambda control: b"\\u%04x" % ord(control[0]), text)

    body = _TOKEN.sub(token, body)
    return body, tuple(sorted(repairs))


def _word(word: bytes) -> tuple[bytes, set[str]]:
    """Write a value as JSON if it looks like a number, `NaN`, `Infinity` or `undefined`."""
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
    """Write a string in UTF-8, unless it contains bytes that no text contains."""
    try:
        text.decode()
    except UnicodeDecodeError:
        if _DAMAGE in text:
            return text, set()
    else:
        return text, set()
    try:
        # Surrogates may also be encoded directly (CESU-8).
        wide = text.decode(errors="surrogatepass").encode("utf-16-le", errors="surrogatepass")
    except UnicodeDecodeError:
        return text.decode(errors="replace").encode(), {BYTES}
    return wide.decode("utf-16-le", errors="replace").encode(), {HALVES}
