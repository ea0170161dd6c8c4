"""File meltano.yml: the settings, the selection and the replication of the plugin tap-dynamics365.

Secrets are never in it: they go to the file .env in the same folder. A value goes to where Meltano
takes it from: a variable of .env takes precedence over meltano.yml, and the block of
`default_environment` over that of the plugin.
"""

from __future__ import annotations

import copy
import re
from datetime import date
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_dynamics365.config_files import change, env_file, env_text, found, plugin
from tap_dynamics365.config_files.change import Change
from tap_dynamics365.config_files.replication import METHODS, Replication
from tap_dynamics365.config_files.secrets import is_secret_setting, may_be_secret
from tap_dynamics365.errors import InputError
from tap_dynamics365.singer.select_rules import as_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

NAME = "meltano.yml"
METHOD, KEY = "replication-method", "replication-key"

# Meltano replaces such references in values by variables, unless a backslash is before them.
_REFERENCE = r"\$(?:\{\w+\}|[A-Z])"
# `meltano run` needs an environment.
_NEW = {"default_environment": "dev", "environments": [{"name": "dev"}]}
_CONFIG, _SELECT, _METADATA = "config", "select", "metadata"


class Plugin(NamedTuple):
    """What meltano.yml says of the tap.

    Attributes:
        settings: Values by setting name.
        rules: The select rules; None if there are none, which selects everything.
        metadata: The metadata of tables by their patterns, such as the replication method.
        ignored: What was ignored, and why: one sentence each.
    """

    settings: dict[str, Any]
    rules: list[str] | None
    metadata: dict[str, Any]
    ignored: list[str]


def load(text: str) -> Plugin:
    """Read what a meltano.yml says of the tap, in its default environment.

    Args:
        text: The text.

    Raises:
        InputError: It is not YAML, or has another form, or the package that reads it is missing.
    """
    blocks = _blocks(_parsed(text))
    merged = {key: value for block in blocks for key, value in block.items() if key != _CONFIG}
    config = {name: each for block in blocks for name, each in (block.get(_CONFIG) or {}).items()}
    ignored = [
        f"{name} refers to a variable, such as $NAME."
        for name, value in config.items()
        if _refers(value)
    ]
    values = {name: _unescaped(each) for name, each in config.items() if not _refers(each)}
    settings = found.known(values)
    rules = merged.get(_SELECT)
    return Plugin(
        settings.settings,
        None if rules is None else [str(rule) for rule in rules],
        merged.get(_METADATA) or {},
        [*ignored, *settings.ignored],
    )


def read(project: Path) -> Plugin | None:
    """Read what the meltano.yml of a project says of the tap.

    Args:
        project: The folder of the project.

    Returns:
        What it says; None if there is no such file.

    Raises:
        InputError: It can't be read, is not YAML, or has another form, or the package that reads it
            is missing.
    """
    path = change.place(project, NAME)
    content = change.read(path)
    return None if content is None else load(_decoded(path, content))


def loaders(project: Path) -> list[str]:
    """Name the loaders of a project.

    Args:
        project: The folder of the project.

    Raises:
        InputError: As `read`.
    """
    path = change.place(project, NAME)
    plugins = _parsed(_decoded(path, change.read(path) or b"")).get("plugins")
    found = plugins.get("loaders") if isinstance(plugins, dict) else None
    return [str(each["name"]) for each in found or [] if isinstance(each, dict) and "name" in each]


def replication(metadata: Mapping[str, Any], tables: Iterable[str]) -> dict[str, Replication]:
    """Find the replication of tables that is chosen.

    Args:
        metadata: The metadata of tables by their patterns.
        tables: The names of the tables.

    Returns:
        The replication of the tables that have one.
    """
    chosen = {}
    for table in tables:
        own: dict[str, Any] = {}
        for pattern, values in metadata.items():
            if isinstance(values, dict) and fnmatch(table, pattern):
                own |= values
        if own.get(METHOD) in METHODS:
            chosen[table] = Replication(own[METHOD], own.get(KEY) or "")
    return chosen


def plan(
    project: Path,
    settings: Mapping[str, Any],
    rules: Sequence[str] | None = None,
    replication: Mapping[str, Replication] | None = None,
) -> list[Change]:
    """Plan to write settings, select rules and replication into a project of Meltano.

    Args:
        project: The folder of the project. If it has no meltano.yml, or the file does not have
            the plugin, they are made.
        settings: Values by setting name; None removes one. Others stay.
        rules: The select rules; None leaves those that are there.
        replication: The replication of tables. Others stay.

    Returns:
        The change of meltano.yml; and of .env, if settings belong there.

    Raises:
        InputError: A file can't be read, has another form, or is outside of the project; or the
            package that reads YAML is missing.
    """
    path = change.place(project, NAME)
    before = change.read(path)
    text = _decoded(path, before or b"")
    variables = change.read(path.parent / env_file.NAME) or b""
    in_env = env_text.load(variables.decode(errors="replace"))
    to_env = {
        name: value for name, value in settings.items() if is_secret_setting(name) or name in in_env
    }
    wanted = copy.deepcopy(_parsed(text)) or copy.deepcopy(_NEW)
    blocks = _blocks(wanted) or [_add(wanted, settings)]
    present = {name: each for block in blocks for name, each in (block.get(_CONFIG) or {}).items()}
    # One that is not to be set any more is removed from both files.
    others = {
        name: each
        for name, each in settings.items()
        if name not in to_env or each is None or each == ""
    }
    for name, value in found.new(others, {k: _unescaped(v) for k, v in present.items()}).items():
        _set(blocks, _CONFIG, name, None if value is None else _escaped(value))
    if rules is not None:
        block = next((each for each in reversed(blocks) if _SELECT in each), blocks[0])
        block[_SELECT] = [*rules]
    for table, chosen in (replication or {}).items():
        _replicate(blocks, as_pattern(table), chosen)
    changes = [Change(path, before, _written(path, text, wanted), _cover, has_secrets=False)]
    if to_env:
        changes.append(env_file.plan(change.place(project, env_file.NAME), to_env))
    return changes


def _decoded(path: Path, content: bytes) -> str:
    try:
        return change.decode(content)
    except UnicodeDecodeError:
        msg = f"The file {path} is not encoded in UTF-8: save it as UTF-8."
        raise InputError(msg) from None


def _parsed(text: str) -> dict[str, Any]:
    try:
        parsed = _yaml().load(text)
    except ValueError as error:
        msg = f"The file {NAME} {error}: correct it."
        raise InputError(msg) from None
    if parsed is None:
        return {}
    if not isinstance(parsed, dict):
        msg = f"The file {NAME} is not a mapping of keys to values: correct it."
        raise InputError(msg)
    return parsed


def _written(path: Path, text: str, wanted: dict[str, Any]) -> bytes:
    try:
        written: str = _yaml().rewrite(text, wanted)
    except ValueError as error:
        msg = f"The file {path} {error}: change it by hand."
        raise InputError(msg) from None
    return written.encode()


def _cover(text: str, mask: Callable[[str], str]) -> str:
    covered: str = _yaml().cover(
        text, lambda name, value: mask(value) if may_be_secret(name, value) else value
    )
    return covered


def _yaml() -> Any:  # noqa: ANN401 - a module
    """Return the module that changes YAML, whose package is an extra."""
    try:
        from tap_dynamics365.config_files import yaml_text  # noqa: PLC0415 - as above
    except ImportError:
        msg = (
            "meltano.yml needs a package that is not installed: pip install "
            '"tap-dynamics365[configure]". In a Meltano project, add [configure] to pip_url, and '
            "run meltano install."
        )
        raise InputError(msg) from None
    return yaml_text


def _blocks(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the blocks of the plugin: its own, and that of the default environment.

    Raises:
        InputError: The document has another form.
    """
    try:
        own = _named((document.get("plugins") or {}).get("extractors"))
        name = document.get("default_environment")
        environments = document.get("environments") or []
        environment: dict[str, Any] = next(
            (each for each in environments if each.get("name") == name), {}
        )
        config = (environment.get(_CONFIG) or {}).get("plugins") or {}
        return own and [*own, *_named(config.get("extractors"))]
    except (AttributeError, TypeError):
        msg = f"The file {NAME} does not have the form of Meltano: correct it."
        raise InputError(msg) from None


def _named(plugins: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    return [each for each in plugins or [] if each.get("name") == plugin.NAME]


def _add(document: dict[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Add the plugin to a document."""
    plugins = document.get("plugins") or {}
    document["plugins"] = plugins
    block = plugin.definition(settings)
    plugins["extractors"] = [*(plugins.get("extractors") or []), block]
    return block


def _set(blocks: list[dict[str, Any]], key: str, name: str, value: Any) -> None:  # noqa: ANN401
    """Set a value, where the last block that has it takes precedence; None removes it."""
    having = [block for block in blocks if name in (block.get(key) or {})]
    if value is None:
        for block in having:
            del block[key][name]
            if not block[key]:
                del block[key]
        return
    block = (having or blocks[:1])[-1]
    block[key] = {**(block.get(key) or {}), name: value}


def _replicate(blocks: list[dict[str, Any]], table: str, chosen: Replication) -> None:
    """Set the metadata of a table."""
    block = next((each for each in reversed(blocks) if each.get(_METADATA)), blocks[0])
    metadata = dict(block.get(_METADATA) or {})
    # Meltano also reads this form of the same keys.
    for key in (METHOD, KEY):
        metadata.pop(f"{table}.{key}", None)
    own = {**(metadata.get(table) or {}), METHOD: chosen.method}
    own.pop(KEY, None)
    if chosen.key:
        own[KEY] = chosen.key
    block[_METADATA] = {**metadata, table: own}


def _refers(value: Any) -> bool:  # noqa: ANN401 - any value of YAML
    """Tell whether a value refers to a variable."""
    if isinstance(value, dict):
        return any(map(_refers, value.values()))
    if isinstance(value, list):
        return any(map(_refers, value))
    return isinstance(value, str) and bool(re.search(rf"(?<!\\){_REFERENCE}", value))


def _escaped(value: Any) -> Any:  # noqa: ANN401 - any value of YAML
    """Write a value so that Meltano takes it as it is."""
    return _each_text(value, lambda text: re.sub(rf"(?={_REFERENCE})", r"\\", text))


def _unescaped(value: Any) -> Any:  # noqa: ANN401 - any value of YAML
    return _each_text(value, lambda text: re.sub(rf"\\(?={_REFERENCE})", "", text))


def _each_text(value: Any, convert: Callable[[str], str]) -> Any:  # noqa: ANN401 - as above
    if isinstance(value, dict):
        return {key: _each_text(each, convert) for key, each in value.items()}
    if isinstance(value, list):
        return [_each_text(each, convert) for each in value]
    if isinstance(value, date):
        # A date without quotes.
        return value.isoformat()
    return convert(value) if isinstance(value, str) else value
