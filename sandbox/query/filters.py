"""Parser of `$filter`: text to syntax tree (Microsoft Learn, "Filter rows").

Supports the comparison and logical operators, brackets, `contains`, `startswith`, `endswith`,
comparisons of two columns, and the query function `In`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import NamedTuple

from sandbox.faults.errors import bad_query


class Literal(NamedTuple):
    """A value in a filter: its kind, its text without quotes, and the type of an enumeration."""

    kind: str
    text: str
    type_name: str = ""


class Path(NamedTuple):
    """A column, or `Property/Value` of a managed property."""

    name: str


Operand = Literal | Path


@dataclass(frozen=True)
class Comparison:
    """`left operator right`."""

    operator: str
    left: Operand
    right: Operand


@dataclass(frozen=True)
class TextTest:
    """`contains`, `startswith` or `endswith`."""

    function: str
    path: Path
    text: str


@dataclass(frozen=True)
class Membership:
    """`Microsoft.Dynamics.CRM.In(PropertyName='x',PropertyValues=['a','b'])`."""

    path: Path
    values: tuple[str, ...]


@dataclass(frozen=True)
class Truth:
    """A yes/no column without an operator."""

    path: Path


@dataclass(frozen=True)
class Not:
    """Negation."""

    inner: Expression


@dataclass(frozen=True)
class Both:
    """`left and right`, or `left or right`."""

    operator: str
    left: Expression
    right: Expression


Expression = Comparison | TextTest | Membership | Truth | Not | Both

COMPARISONS = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
TEXT_TESTS = frozenset({"contains", "startswith", "endswith"})
DEEPEST = 100
_TOKENS = re.compile(
    r"""\s*(?:
    (?P<string>'(?:[^']|'')*')
  | (?P<guid>[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})
  | (?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))
  | (?P<date>\d{4}-\d\d-\d\d(?![\dT]))
  | (?P<time>\d\d:\d\d(?::\d\d(?:\.\d+)?)?)
  | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
  | (?P<name>[^\W\d][\w.]*(?:/[^\W\d]\w*)*)
  | (?P<array>\[[^\]]*\])
  | (?P<mark>[(),=])
    )""",
    re.VERBOSE,
)


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str, int]] = []
        at = 0
        end = len(text.rstrip())
        while at < end:
            match = _TOKENS.match(text, at)
            if not match:
                raise self._error(at)
            self.tokens.append((str(match.lastgroup), match[str(match.lastgroup)], match.start()))
            at = match.end()
        self.at = 0
        self.depth = 0

    def _error(self, position: int) -> Exception:
        return bad_query(f"Syntax error at position {position} in '{self.text}'.")

    def _peek(self) -> tuple[str, str, int]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "", len(self.text))

    def _next(self) -> tuple[str, str, int]:
        token = self._peek()
        self.at += 1
        return token

    def _expect(self, mark: str) -> None:
        _, text, position = self._next()
        if text != mark:
            raise self._error(position)

    def parse(self) -> Expression:
        result = self._either()
        kind, _, position = self._peek()
        if kind != "end":
            raise self._error(position)
        return result

    def _either(self) -> Expression:
        result = self._every()
        while self._peek()[:2] == ("name", "or"):
            self._next()
            result = Both("or", result, self._every())
        return result

    def _every(self) -> Expression:
        result = self._single()
        while self._peek()[:2] == ("name", "and"):
            self._next()
            result = Both("and", result, self._single())
        return result

    def _single(self) -> Expression:
        kind, text, _ = self._peek()
        self.depth += 1
        if self.depth > DEEPEST:
            message = "The filter is nested too deeply."
            raise bad_query(message)
        try:
            if (kind, text) == ("name", "not"):
                self._next()
                return Not(self._single())
            if text == "(" and kind == "mark":
                self._next()
                result = self._either()
                self._expect(")")
                return result
            following = self.tokens[self.at + 1][1] if self.at + 1 < len(self.tokens) else ""
            if kind == "name" and following == "(":
                return self._call()
            return self._comparison()
        finally:
            self.depth -= 1

    def _call(self) -> Expression:
        _, name, position = self._next()
        self._expect("(")
        if name in TEXT_TESTS:
            path = self._path()
            self._expect(",")
            kind, text, position = self._next()
            if kind != "string":
                raise self._error(position)
            self._expect(")")
            return TextTest(name, path, _unquoted(text))
        if name == "Microsoft.Dynamics.CRM.In":
            return self._membership()
        message = f"An unknown function with name '{name}' was found."
        raise bad_query(message)

    def _membership(self) -> Expression:
        arguments: dict[str, tuple[str, str, int]] = {}
        while True:
            _, key, _ = self._next()
            self._expect("=")
            arguments[key] = self._next()
            _, mark, position = self._next()
            if mark == ")":
                break
            if mark != ",":
                raise self._error(position)
        _, column, _ = arguments.get("PropertyName", ("", "", 0))
        _, array, position = arguments.get("PropertyValues", ("", "", position))
        try:
            values = json.loads(re.sub(r"'((?:[^']|'')*)'", _as_json, array))
        except ValueError:
            raise self._error(position) from None
        return Membership(Path(_unquoted(column)), tuple(str(value) for value in values))

    def _path(self) -> Path:
        kind, text, position = self._next()
        if kind != "name":
            raise self._error(position)
        return Path(text)

    def _comparison(self) -> Expression:
        left = self._operand()
        kind, operator, where = self._peek()
        if kind != "name" or operator not in COMPARISONS:
            if isinstance(left, Path) and operator in {"", ")", "and", "or"}:
                return Truth(left)
            raise self._error(where)
        self._next()
        return Comparison(operator, left, self._operand())

    def _operand(self) -> Operand:
        kind, text, position = self._next()
        if kind == "string":
            return Literal("string", _unquoted(text))
        if kind in {"guid", "datetime", "date", "time", "number"}:
            return Literal(kind, text)
        if kind == "name" and text in {"true", "false", "null"}:
            return Literal("null" if text == "null" else "boolean", text)
        if kind == "name":
            after, value, _ = self._peek()
            if after == "string" and (text == "guid" or "." in text):
                if text == "guid":
                    message = (
                        f"Unrecognized 'Edm.String' literal '{text}{value}' at '{position}' in "
                        f"'{self.text}'."
                    )
                    raise bad_query(message)
                self._next()
                return Literal("enum", _unquoted(value), text)
            return Path(text)
        raise self._error(position)


def _unquoted(text: str) -> str:
    return text[1:-1].replace("''", "'")


def _as_json(match: re.Match[str]) -> str:
    return json.dumps(match[1].replace("''", "'"))


def parse(text: str) -> Expression:
    """Parse a filter.

    Raises:
        ServiceError: The text is not a filter.
    """
    return _Parser(text).parse()
