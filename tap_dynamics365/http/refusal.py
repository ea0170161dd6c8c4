"""Error code and messages in the body of a refused request, in the forms that services use."""

from __future__ import annotations

import html
import json
import re
from typing import Any, NamedTuple

# Parts of an error that hold the error below it, from the outside in.
INNER = (
    "innererror",
    "internalexception",
    "InnerException",
    "innerexception",
)
# The names of a message, the most telling one last.
MESSAGES = ("error_description", "message", "Message", "ExceptionMessage")
CODES = ("code", "ErrorCode", "errorcode")
INNER_MESSAGE = "@Microsoft.PowerApps.CDS.InnerError.Message"

# Deeper than any service nests its errors.
DEEPEST = 20
# What is looked at of a body that is no JSON.
LONGEST_TEXT = 2**16

# Messages that say nothing of the cause.
_NOTHING = re.compile(
    r"^(?:An error has occurred|Exception has been thrown by the target of an invocation)\b",
    re.IGNORECASE,
)
# Where a stack trace of .NET begins: the name of an exception, or of a method.
_STACK = re.compile(r"\r?\n\s*(?=at \S|--->|[A-Z]\w+(?:\.\w+)+Exception:)")
_DECIMAL = re.compile(r"-?[0-9]{5,10}")
_HEXADECIMAL = re.compile(r"0[xX][0-9a-fA-F]{1,8}")
_JSON_CODE = re.compile(r'"(?:code|ErrorCode)"\s*:\s*"?([^",}\s]{1,100})')
_JSON_MESSAGE = re.compile(
    r'"(?:message|Message|ExceptionMessage)"\s*:\s*"((?:[^"\\]|\\.){1,4000})', re.DOTALL
)
_XML_CODE = re.compile(r"<(?:\w+:)?(?:code|ErrorCode)\b[^>]*>([^<]{1,100})<", re.IGNORECASE)
_XML_MESSAGE = re.compile(
    r"<(?:\w+:)?(?:message|ExceptionMessage|faultstring|Text)\b[^>]*>([^<]{1,4000})<",
    re.IGNORECASE,
)


class Refusal(NamedTuple):
    """What a service says of a request that it did not fulfil.

    Attributes:
        code: The error code: in hexadecimal and lower case if it is a number, else as it was sent;
            empty if there is none.
        messages: The messages from the outside in, without repetition.
        is_own: Whether the form is that of a service, and not what a gateway or proxy answers in
            its place.
    """

    code: str = ""
    messages: tuple[str, ...] = ()
    is_own: bool = False

    @property
    def telling(self) -> str:
        """The innermost message that tells something, without the stack trace in it."""
        told = [message for message in self.messages if not _NOTHING.search(message)]
        message = (*self.messages[-1:], *told)[-1] if self.messages else ""
        return _STACK.split(message, maxsplit=1)[0].strip()

    @property
    def words(self) -> str:
        """All messages."""
        return "\n".join(self.messages)


def read(body: bytes, content_type: str) -> Refusal:
    """Read the code and the messages of an error.

    These forms are read: OData 4 (OData JSON Format 4.0, section 19) and OData 3, with their inner
    errors; those of ASP.NET Web API and of OAuth; XML; plain text. JSON that is not valid is
    searched for its messages.

    Args:
        body: The body.
        content_type: The header `Content-Type`.

    Returns:
        What was found; nothing in a web page.
    """
    text = body.decode("utf-8-sig", errors="replace").strip()
    kind = content_type.partition(";")[0].strip().lower()
    if not text or kind == "text/html" or re.match(r"<!doctype html|<html", text, re.IGNORECASE):
        return Refusal()
    try:
        return _read_json(json.loads(text))
    except (ValueError, RecursionError):
        text = text[:LONGEST_TEXT]
    if text[0] == "<":
        return _search(text, _XML_CODE, _XML_MESSAGE, html.unescape)
    if text[0] in "{[":
        return _search(text, _JSON_CODE, _JSON_MESSAGE, _unescape)
    return Refusal(messages=(text,)) if kind in {"", "text/plain"} else Refusal()


def _read_json(answer: Any) -> Refusal:  # noqa: ANN401 - whatever JSON holds
    if isinstance(answer, str):
        return Refusal(messages=tuple(filter(None, [answer.strip()])))
    if not isinstance(answer, dict):
        return Refusal()
    outer = answer.get("error", answer.get("odata.error", answer))
    is_own = isinstance(outer, dict) and (outer is not answer or "Message" in outer)
    if not isinstance(outer, dict):
        # OAuth's form has the code as a text there, and the words beside it.
        outer = {**answer, "code": outer}
    messages: list[str] = []
    code = ""
    error: Any = outer
    for _ in range(DEEPEST):
        messages += _messages(error)
        code = code or next((_code(error[name]) for name in CODES if name in error), "")
        error = next((error[name] for name in INNER if isinstance(error.get(name), dict)), None)
        if error is None:
            break
    messages += _texts(outer.get(INNER_MESSAGE))
    return Refusal(code, tuple(dict.fromkeys(messages)), is_own)


def _messages(error: dict[str, Any]) -> list[str]:
    return [text for name in MESSAGES for text in _texts(error.get(name))]


def _texts(message: Any) -> list[str]:  # noqa: ANN401 - whatever JSON holds
    # OData 3 has the text in an object, beside its language.
    if isinstance(message, dict):
        message = message.get("value")
    return [message.strip()] if isinstance(message, str) and message.strip() else []


def _code(code: Any) -> str:  # noqa: ANN401 - whatever JSON holds
    """Write a code as the documentation has it: `0x80040220` for -2147220960 too."""
    text = str(code).strip() if isinstance(code, (str, int)) else ""
    if _DECIMAL.fullmatch(text):
        number = int(text)
    elif _HEXADECIMAL.fullmatch(text):
        number = int(text, 16)
    else:
        return text if text != "0" else ""
    return f"0x{number & 0xFFFFFFFF:08x}" if number else ""


def _search(text: str, code: re.Pattern[str], message: re.Pattern[str], plain: Any) -> Refusal:  # noqa: ANN401 - a function
    found = code.search(text)
    messages = [plain(each).strip() for each in message.findall(text)]
    told = tuple(dict.fromkeys(filter(None, messages)))
    return Refusal(_code(plain(found[1])) if found else "", told, is_own=bool(told))


def _unescape(text: str) -> str:
    """Replace the escapes of JSON, those that JSON does not know by the character alone."""
    plain = {"n": "\n", "r": "\r", "t": "\t", "b": " ", "f": " "}
    return re.sub(r"\\(.)", lambda found: plain.get(found[1], found[1]), text, flags=re.DOTALL)
