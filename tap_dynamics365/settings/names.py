"""Names of settings that the tap does not have: misspelt ones, and those of other programs."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# How alike two names are, from 0 to 1, if one is another's misspelling, or may be meant by it.
MISSPELT, ALIKE = 0.8, 0.6
# A longer difference makes another name: `client_secret_file` is not `client_secret`.
LETTERS = 2


class Unknown(NamedTuple):
    """A name that is no setting's.

    Attributes:
        name: The name, with those of the settings that it is in.
        near: The setting that is most like it; None if none is.
        is_misspelt: Whether that one is meant without doubt.
    """

    name: str
    near: str | None
    is_misspelt: bool


def unknown(config: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Unknown]:
    """Find the names in a configuration that its schema does not have.

    Args:
        config: Values by setting name; those of nested settings are objects.
        schema: The JSON Schema of the settings.

    Yields:
        Each such name. Of names that are free to choose, such as those of streams and columns in
        stream maps, only those that misspell one of the SDK's own: `__filtr__`.
    """
    known = schema.get("properties", {})
    others = schema.get("additionalProperties")
    for name, value in config.items():
        if name in known:
            inner = [known[name]]
        elif isinstance(others, dict):
            found = compare(name, known)
            if _is_reserved(name) and found.is_misspelt:
                yield found
            inner = [others, *others.get("anyOf", ())]
        elif known:
            yield compare(name, known)
            continue
        else:
            # Values of a person's own, such as those of stream_map_config.
            continue
        if isinstance(value, dict):
            for part in inner:
                for found in unknown(value, part):
                    near = found.near and f"{name}.{found.near}"
                    yield Unknown(f"{name}.{found.name}", near, found.is_misspelt)


def _is_reserved(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def compare(name: str, known: Iterable[str]) -> Unknown:
    """Compare a name with those of settings.

    Args:
        name: The name, which is none of them.
        known: Names of settings.

    Returns:
        What it may mean. Letter case and underscores do not count: the driver writes `ClientID`.
    """
    plain = {each.replace("_", "").lower(): each for each in known}
    text = name.replace("_", "").lower()
    for near in difflib.get_close_matches(text, plain, n=1, cutoff=ALIKE):
        ratio = difflib.SequenceMatcher(a=near, b=text).ratio()
        is_misspelt = ratio >= MISSPELT and abs(len(near) - len(text)) <= LETTERS
        return Unknown(name, plain[near], is_misspelt)
    return Unknown(name, None, is_misspelt=False)
