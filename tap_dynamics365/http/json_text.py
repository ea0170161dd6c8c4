r"""JSON as services write it: repair of what msgspec refuses and is no damage of the transfer.

A text that was cut in the middle of an emoji holds half of a UTF-16 surrogate pair. Services write
it as an escape (`"\ud83d"`), which RFC 8259, section 8.2, permits. It can't be passed on: targets
fail where they encode it, or databases refuse it.

    body, repairs = readable(response.content)
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8

import msgspec

# What is done to values, as the log says it.
HALVES = "half characters, such as of an emoji that was cut in two, are replaced by U+FFFD"
NOT_NUMBERS = "NaN and Infinity, which JSON has no numbers for, are null"

# A string, to the end of the body if it is not closed, so that a search takes linear time; or a
# bare word that some writers use where there is no number.
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\Z)|-?\b(?:NaN|Infinity)\b', re.DOTALL)
# Any escape: a surrogate pair, half of one, or another. `\\ud83d` is an escaped backslash.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_CONTROL = re.compile(rb"[\x00-\x1f]")

# One JSON value and nothing else; none of it is kept.
_any = msgspec.json.Decoder(msgspec.Raw)


def readable(body: bytes) -> tuple[bytes, str]:
    """Make JSON readable.

    Args:
        body: What was received.

    Returns:
        The body, the very same if nothing had to be repaired; and what was done to values, as the
        log says it, if they are not what the service sent.

    Raises:
        msgspec.DecodeError: It is not JSON: cut off, or damaged on its way.
        UnicodeDecodeError: It is not UTF-8.
        RecursionError: It is nested too deeply.
    """
    try:
        _check(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        repaired, repairs = _repaired(body)
        if repaired == body:
            raise
        _check(repaired)
        return repaired, repairs
    return body, ""


def _check(body: bytes) -> None:
    _any.decode(body.removeprefix(BOM_UTF8))
    body.decode()


def _repaired(body: bytes) -> tuple[bytes, str]:
    repairs = set()

    def escape(match: re.Match[bytes]) -> bytes:
        if match["half"] is None:
            return match[0]
        repairs.add(HALVES)
        return rb"\ufffd"

    def token(match: re.Match[bytes]) -> bytes:
        text = match[0]
        if text[:1] != b'"':
            repairs.add(NOT_NUMBERS)
            return b"null"
        # Written as they are, control characters are not valid: escaped, they say the same.
        text = _CONTROL.sub(lambda control: b"\\u%04x" % ord(control[0]), text)
        return _ESCAPE.sub(escape, text) if b"\\u" in text else text

    try:
        body.decode()
    except UnicodeDecodeError:
        # Halves of pairs may be written as they are too (CESU-8). Other bytes are still an error.
        wide = body.decode(errors="surrogatepass").encode("utf-16-le", errors="surrogatepass")
        body = wide.decode("utf-16-le", errors="replace").encode()
        repairs.add(HALVES)
    body = _TOKEN.sub(token, body)
    return body, "; ".join(sorted(repairs))
