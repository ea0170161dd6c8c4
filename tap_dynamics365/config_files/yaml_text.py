r"""YAML text: changes what a document means, and keeps every byte that has nothing to do with it.

    rewrite("a: 1  # one\nb: [2]\n", {"a": 3, "b": [2]})  # "a: 3  # one\nb: [2]\n"

A round trip through a YAML library keeps comments, but not the whole layout. Here, the library only
tells where values begin and end. The result is read again, and has to mean what is wanted.
"""

from __future__ import annotations

import json
import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# Text that means itself without quotes, in every version of YAML.
_PLAIN = re.compile(r"[A-Za-z_/](?:[\w./+*@?=&%~-]|:(?=[^\s:]))*", re.ASCII)
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_BYTE_ORDER_MARK = "\ufeff"
_FLOW_WIDTH = 90


class _Style(NamedTuple):
    """The layout of a document.

    Attributes:
        step: How many columns a mapping is indented within a mapping.
        dash: How many columns the dash of an item is indented within a mapping.
        end: The line end.
    """

    step: int
    dash: int
    end: str


class _Edit(NamedTuple):
    """A piece of the text that is replaced."""

    start: int
    end: int
    text: str


def load(text: str) -> Any:  # noqa: ANN401 - any value of YAML
    """Read a document.

    Args:
        text: The document.

    Raises:
        ValueError: It is not YAML. The message is the end of a sentence, without the text.
    """
    try:
        return YAML(typ="safe", pure=True).load(text.removeprefix(_BYTE_ORDER_MARK))
    except YAMLError as error:
        raise ValueError(_reason(error)) from None


def rewrite(text: str, wanted: Any) -> str:  # noqa: ANN401 - any value of YAML
    """Change a document so that it means something else.

    Args:
        text: The document.
        wanted: What it has to mean: mappings, sequences, and the values of JSON.

    Returns:
        The document. Lines of values that stay the same are unchanged.

    Raises:
        ValueError: It is not YAML, or has a form that can't be changed, such as a value that is
            used in several places. The message is the end of a sentence.
    """
    old = load(text)
    mark, bare = _BYTE_ORDER_MARK * text.startswith(_BYTE_ORDER_MARK), text.lstrip(_BYTE_ORDER_MARK)
    root = YAML(typ="rt", pure=True).compose(bare)
    style = _style(root, "\r\n" if "\r\n" in text else "\n")
    if root is None:
        space = style.end if bare and not bare.endswith("\n") else ""
        lines = "".join(f"{line}{style.end}" for line in _mapping(wanted, 0, style))
        changed = f"{bare}{space}{lines}"
    else:
        editor = _Editor(bare, style)
        try:
            editor.change(root, old, wanted)
        except (LookupError, ValueError):
            raise _unsupported() from None
        changed = editor.text_with_edits()
    try:
        is_wanted = _is_same(load(changed), wanted)
    except ValueError:
        is_wanted = False
    if not is_wanted:
        raise _unsupported()
    return mark + changed


def cover(text: str, mask: Callable[[str, str], str]) -> str:
    """Replace texts of a document that are values of keys.

    Args:
        text: The document.
        mask: Given a key and its value, returns the text to show.
    """
    root = YAML(typ="rt", pure=True).compose(text.removeprefix(_BYTE_ORDER_MARK))
    pieces, at, bare = list[str](), 0, text.removeprefix(_BYTE_ORDER_MARK)
    for key, value in sorted(_pairs(root), key=lambda pair: pair[1].start_mark.index):
        shown = mask(key.value, value.value)
        # An alias is a value that was covered where it is written.
        if shown != value.value and value.start_mark.index >= max(at, key.end_mark.index):
            pieces += [bare[at : value.start_mark.index], shown]
            at = len(bare[: value.end_mark.index].rstrip())
    return "".join([*pieces, bare[at:]])


def _pairs(node: Node | None) -> Iterator[tuple[ScalarNode, ScalarNode]]:
    """Yield each key whose value is a text, with the value."""
    if isinstance(node, SequenceNode):
        for item in node.value:
            yield from _pairs(item)
    elif isinstance(node, MappingNode):
        for key, value in node.value:
            if isinstance(key, ScalarNode) and isinstance(value, ScalarNode):
                yield key, value
            yield from _pairs(value)


class _Editor:
    """Collects the edits of a text.

    Args:
        text: The text.
        style: Its layout.
    """

    def __init__(self, text: str, style: _Style) -> None:
        self._text = text
        self._style = style
        self._edits: list[_Edit] = []

    def text_with_edits(self) -> str:
        """Return the text with all edits."""
        pieces, at = [], 0
        for edit in sorted(self._edits, key=lambda edit: edit[:2]):
            pieces += [self._text[at : edit.start], edit.text]
            at = edit.end
        return "".join([*pieces, self._text[at:]])

    def change(self, node: Node, old: Any, new: Any, key: Node | None = None) -> None:  # noqa: ANN401
        """Change what a value means.

        Args:
            node: The value in the text.
            old: What it means.
            new: What it has to mean.
            key: The key of the value, if it is in a mapping.

        Raises:
            ValueError: The text has a form that can't be changed.
        """
        if _is_same(old, new):
            return
        if isinstance(old, dict) and isinstance(new, dict) and new and _is_block(node):
            self._change_mapping(node, old, new)
        elif isinstance(old, list) and isinstance(new, list) and new and _is_block(node):
            self._change_sequence(node, old, new, key)
        else:
            self._replace(node, new, key)

    def _change_mapping(self, node: Node, old: dict[str, Any], new: dict[str, Any]) -> None:
        last = node.value[-1]
        for key, value in node.value:
            if key.value not in old:
                # It is not a text, or takes in another mapping.
                continue
            if key.value not in new:
                self._remove(key, self._end(value, key))
            else:
                self.change(value, old[key.value], new[key.value], key)
        added = {key: value for key, value in new.items() if key not in old}
        lines = _mapping(added, node.start_mark.column, self._style)
        self._insert(self._line_end(self._end(last[1], last[0])), lines)

    def _change_sequence(
        self, node: Node, old: list[Any], new: list[Any], key: Node | None
    ) -> None:
        items, column = node.value, node.start_mark.column
        matcher = SequenceMatcher(None, [*map(repr, old)], [*map(repr, new)], autojunk=False)
        for action, start, end, new_start, new_end in matcher.get_opcodes():
            if action == "replace" and end - start == new_end - new_start:
                for at in range(start, end):
                    self._change_item(items[at], old[at], new[new_start + at - start], column)
            elif action != "equal":
                for item in items[start:end]:
                    self._remove(item, self._end(item))
                place = self._end(items[end - 1]) if end else self._colon(key)
                lines = _sequence(new[new_start:new_end], column, self._style)
                self._insert(self._line_end(place), lines)

    def _change_item(self, node: Node, old: Any, new: Any, column: int) -> None:  # noqa: ANN401
        """Change an item in its place, if its first line stays; otherwise put a new one there."""
        end = self._end(node)
        if isinstance(new, dict) and _is_block(node) and isinstance(node, MappingNode):
            is_kept = node.value[0][0].value in new
        else:
            is_kept = isinstance(node, ScalarNode) and not isinstance(new, dict | list)
        if is_kept:
            self.change(node, old, new)
        else:
            self._remove(node, end)
            self._insert(self._line_end(end), _sequence([new], column, self._style))

    def _replace(self, node: Node, new: Any, key: Node | None) -> None:  # noqa: ANN401
        """Replace a whole value."""
        if key is None:
            is_empty = node.start_mark.index == node.end_mark.index
            text = f" {_scalar(new)}" if is_empty else _scalar(new)
            start = min(node.start_mark.index, self._end(node))
            self._edits.append(_Edit(start, self._end(node), text))
            return
        colon, end = self._colon(key), self._end(node, key)
        lines = _below(new, key.start_mark.column, self._style)
        if not lines:
            self._edits.append(_Edit(colon, end, f" {_scalar(new)}"))
        elif node.start_mark.line > key.start_mark.line and end > colon:
            # A comment behind the key stays there.
            self._edits.append(_Edit(self._line_end(colon), end, ""))
            self._insert(end, lines)
        else:
            self._edits.append(_Edit(colon, end, ""))
            self._insert(self._line_end(end), lines)

    def _remove(self, first: Node, end: int) -> None:
        """Remove whole lines, with the line end before them."""
        start = max(self._text.rfind("\n", 0, first.start_mark.index), 0)
        if self._text[start - 1 : start] == "\r":
            start -= 1
        self._edits.append(_Edit(start, self._line_end(end), ""))

    def _insert(self, at: int, lines: Sequence[str]) -> None:
        text = "".join(f"{self._style.end}{line}" for line in lines)
        self._edits.append(_Edit(at, at, text))

    def _colon(self, key: Node | None) -> int:
        """Return the place after the colon of a key."""
        return self._text.index(":", key.end_mark.index if key else 0) + 1

    def _end(self, node: Node, key: Node | None = None) -> int:
        """Return where a value ends, without the space and the comments after it."""
        if _is_block(node):
            last = node.value[-1]
            return self._end(last[1], last[0]) if isinstance(last, tuple) else self._end(last)
        if key is not None and node.end_mark.index == node.start_mark.index:
            return self._colon(key)
        return len(self._text[: node.end_mark.index].rstrip())

    def _line_end(self, at: int) -> int:
        end = self._text.find("\n", at)
        end = len(self._text) if end < 0 else end
        return end - 1 if self._text[at:end].endswith("\r") else end


def _is_same(old: Any, new: Any) -> bool:  # noqa: ANN401 - any value of YAML
    """Tell whether two values are equal, also in their types: true is not 1."""
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(_is_same(old[key], new[key]) for key in old)
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(_is_same, old, new))
    return type(old) is type(new) and bool(old == new)


def _unsupported() -> ValueError:
    return ValueError("has a form that can't be changed here")


def _reason(error: YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return "is not valid YAML" + (f" in line {mark.line + 1}" if mark is not None else "")


def _is_block(node: Node) -> bool:
    """Tell whether a value is a mapping or a sequence over several lines, without brackets."""
    if not isinstance(node, MappingNode | SequenceNode):
        return False
    return not node.flow_style and bool(node.value)


def _style(root: Node | None, end: str) -> _Style:
    """Find the layout of a document by the first examples in it."""
    step = dash = None
    nodes = [root] if root is not None else []
    while nodes and (step is None or dash is None):
        node = nodes.pop(0)
        if not _is_block(node):
            continue
        if isinstance(node, SequenceNode):
            nodes += node.value
            continue
        for key, value in node.value:
            indent = value.start_mark.column - key.start_mark.column
            if _is_block(value) and isinstance(value, MappingNode):
                step = indent if step is None else step
            elif _is_block(value):
                dash = indent if dash is None else dash
            nodes.append(value)
    return _Style(step or 2, dash or 0, end)


def _mapping(value: dict[str, Any], column: int, style: _Style) -> list[str]:
    """Write a mapping as lines."""
    lines = []
    for key, each in value.items():
        begin = f"{' ' * column}{_scalar(key)}:"
        below = _below(each, column, style)
        lines += [begin, *below] if below else [f"{begin} {_scalar(each)}"]
    return lines


def _sequence(value: list[Any], column: int, style: _Style) -> list[str]:
    """Write a sequence as lines."""
    lines = []
    for each in value:
        dash = f"{' ' * column}- "
        if isinstance(each, dict) and each:
            flow = _scalar(each)
            if len(flow) <= _FLOW_WIDTH and not any(
                isinstance(v, dict | list) for v in each.values()
            ):
                lines.append(dash + flow)
                continue
            first, *rest = _mapping(each, column + 2, style)
            lines += [dash + first.lstrip(), *rest]
        else:
            lines.append(dash + _scalar(each))
    return lines


def _below(value: Any, column: int, style: _Style) -> list[str]:  # noqa: ANN401 - any value of YAML
    """Write the lines below a key; none if the value fits behind it."""
    if isinstance(value, dict) and value:
        return _mapping(value, column + style.step, style)
    if isinstance(value, list) and value:
        return _sequence(value, column + style.dash, style)
    return []


def _scalar(value: Any) -> str:  # noqa: ANN401 - any value of YAML
    """Write a value in one line. What is not plain text is JSON, which is YAML too."""
    if isinstance(value, dict) and value:
        return f"{{{', '.join(f'{_scalar(key)}: {_scalar(each)}' for key, each in value.items())}}}"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    # YAML does not know JSON's pairs of escapes for one letter.
    written = json.dumps(value, ensure_ascii=False)
    return "".join(each if each.isprintable() else f"\\U{ord(each):08x}" for each in written)
