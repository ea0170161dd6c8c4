"""Unknown names of settings: finds them, and tells misspellings from other names.

compare("client_secrt", ["client_id", "client_secret"])
# Unknown(name="client_secrt", near="client_secret", is_misspelt=True)
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# Similarity of two names, from 0 to 1: at least MISSPELT for a misspelling, at least ALIKE for a
# name that the user may have meant.
MISSPELT, ALIKE = 0.8, 0.6
# Names that differ more in length are different names: `client_secret_file` is not a misspelling
# of `client_secret`.
MAX_LENGTH_DIFFERENCE = 2


class Unknown(NamedTuple):
    """A name that no setting has.

    Attributes:
        name: The name, after the names of the settings that contain it: `stream_maps.account.x`.
        near: The most similar setting, or None if none is similar.
        is_misspelt: Whether the name is a misspelling of `near`.
    """

    name: str
    near: str | None
    is_misspelt: bool


def find_unknown(config: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Unknown]:
    """Find the names in a configuration that its schema does not have.

    Args:
        config: Values by setting name. The value of a nested setting is an object.
        schema: JSON Schema of the settings.

    Yields:
        Each unknown name. Users choose some names themselves, such as those of streams and columns
        in stream maps. Of these, only misspellings of the SDK's names, such as `__filtr__`.
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
            # Free values of the user, such as those of stream_map_config.
            continue
        if isinstance(value, dict):
            for part in inner:
                for found in find_unknown(value, part):
                    near = found.near and f"{name}.{found.near}"
                    yield Unknown(f"{name}.{found.name}", near, found.is_misspelt)


def _is_reserved(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def compare(name: str, known: Iterable[str]) -> Unknown:
    """Compare an unknown name with known names.

    Args:
        name: The unknown name.
        known: Names of settings or properties.

    Returns:
        The name with the most similar known name. Case and underscores are ignored, because the
        driver writes `ClientID` for `client_id`.
    """
    plain = {each.replace("_", "").lower(): each for each in known}
    text = name.replace("_", "").lower()
    for near in difflib.get_close_matches(text, plain, n=1, cutoff=ALIKE):
        ratio = difflib.SequenceMatcher(a=near, b=text).ratio()
        is_misspelt = ratio >= MISSPELT and abs(len(near) - len(text)) <= MAX_LENGTH_DIFFERENCE
        return Unknown(name, plain[near], is_misspelt)
    return Unknown(name, None, is_misspelt=False)
