"""Refusal: the error code and messages in the body of a request that the service refused."""

from __future__ import annotations

import html
import json
import re
from typing import Any, NamedTuple

# Members that contain an inner error.
INNER = (
    "innererror",
    "internalexception",
    "InnerException",
    "innerexception",
)
# The names of a message. The last ones are the most specific.
MESSAGES = ("error_description", "message", "Message", "ExceptionMessage")
CODES = ("code", "ErrorCode", "errorcode")
# A message that comes from an exception, and members that describe the exception.
EXCEPTION_MESSAGE = "ExceptionMessage"
EXCEPTION = ("type", "ExceptionType", "stacktrace", "StackTrace")
INNER_MESSAGE = "@Microsoft.PowerApps.CDS.InnerError.Message"

# More than any service nests its errors.
MAX_DEPTH = 20
# The characters that are searched in a body that is not JSON.
MAX_TEXT = 2**16

# Messages that do not name the cause.
_GENERIC = re.compile(
    r"^(?:An error has occurred|Exception has been thrown by the target of an invocation)\b",
    re.IGNORECASE,
)
# The start of a .NET stack trace: the name of an exception or of a method.
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
    """Why a service did not fulfil a request.

    Attributes:
        code: The error code, in lower-case hexadecimal if it is a number; empty if there is none.
        messages: The messages of the error and its inner errors, without repetition, the
            outermost first.
        is_own: Whether the body has the form of a service's error. Otherwise a gateway or proxy
            may have answered in its place.
        inner: Those of the messages that come from exceptions.
        trace: The types and stack traces of the exceptions, which tell errors apart that have the
            same messages. Not for users.
        is_empty: Whether there is no body.
    """

    code: str = ""
    messages: tuple[str, ...] = ()
    is_own: bool = False
    inner: tuple[str, ...] = ()
    trace: str = ""
    is_empty: bool = False

    @property
    def cause(self) -> str:
        """The innermost message that is not generic, without its stack trace."""
        specific = [message for message in self.messages if not _GENERIC.search(message)]
        message = (*self.messages[-1:], *specific)[-1] if self.messages else ""
        return _STACK.split(message, maxsplit=1)[0].strip()

    @property
    def words(self) -> str:
        """All messages, one on each line."""
        return "\n".join(self.messages)


def read(body: bytes, content_type: str) -> Refusal:
    """Read the code and the messages of an error.

    The body may have the form of OData 4 (OData JSON Format 4.0, section 19) or OData 3, with
    their inner errors, of ASP.NET Web API or of OAuth, or be XML or plain text. JSON that is not
    valid is searched for messages.

    Args:
        body: The body of the response.
        content_type: The header `Content-Type`.

    Returns:
        The code and the messages; none for a web page.
    """
    text = body.decode("utf-8-sig", errors="replace").strip()
    kind = content_type.partition(";")[0].strip().lower()
    if not text:
        return Refusal(is_empty=True)
    if kind == "text/html" or re.match(r"<!doctype html|<html", text, re.IGNORECASE):
        return Refusal()
    try:
        return _read_json(json.loads(text))
    except (ValueError, RecursionError):
        text = text[:MAX_TEXT]
    if text[0] == "<":
        return _search(text, _XML_CODE, _XML_MESSAGE, html.unescape)
    if text[0] in "{[":
        return _search(text, _JSON_CODE, _JSON_MESSAGE, _unescape)
    return Refusal(messages=(text,)) if kind in {"", "text/plain"} else Refusal()


def _read_json(answer: Any) -> Refusal:  # noqa: ANN401 - any JSON value
    if isinstance(answer, str):
        return Refusal(messages=tuple(filter(None, [answer.strip()])))
    if not isinstance(answer, dict):
        return Refusal()
    outer = answer.get("error", answer.get("odata.error", answer))
    is_own = isinstance(outer, dict) and (outer is not answer or "Message" in outer)
    if not isinstance(outer, dict):
        # In OAuth's form, `error` is the code, and the description is next to it.
        outer = {**answer, "code": outer}
    messages: list[str] = []
    inner: list[str] = []
    trace: list[str] = []
    code = ""
    error: Any = outer
    for _ in range(MAX_DEPTH):
        found = _messages(error)
        messages += found
        inner += found if error is not outer else _texts(error.get(EXCEPTION_MESSAGE))
        trace += [text for name in EXCEPTION for text in _texts(error.get(name))]
        code = code or next((_code(error[name]) for name in CODES if name in error), "")
        error = next((error[name] for name in INNER if isinstance(error.get(name), dict)), None)
        if error is None:
            break
    messages += _texts(outer.get(INNER_MESSAGE))
    unique = tuple(dict.fromkeys(messages))
    return Refusal(code, unique, is_own, tuple(dict.fromkeys(inner)), "\n".join(trace))


def _messages(error: dict[str, Any]) -> list[str]:
    return [text for name in MESSAGES for text in _texts(error.get(name))]


def _texts(message: Any) -> list[str]:  # noqa: ANN401 - any JSON value
    # In OData 3, a message is an object with the text and its language.
    if isinstance(message, dict):
        message = message.get("value")
    return [message.strip()] if isinstance(message, str) and message.strip() else []


def _code(code: Any) -> str:  # noqa: ANN401 - any JSON value
    """Write a code as the documentation does, such as `0x80040220` for -2147220960."""
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
    unique = tuple(dict.fromkeys(filter(None, messages)))
    return Refusal(_code(plain(found[1])) if found else "", unique, is_own=bool(unique))


def _unescape(text: str) -> str:
    """Replace the escapes of JSON, and remove the backslash of unknown escapes."""
    plain = {"n": "\n", "r": "\r", "t": "\t", "b": " ", "f": " "}
    return re.sub(r"\\(.)", lambda found: plain.get(found[1], found[1]), text, flags=re.DOTALL)
