"""SQL text: statements in which every name is quoted. SQL has no parameters for names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def quoted(name: str) -> str:
    """Quote the name of a table or a column.

    Args:
        name: The name.
    """
    return '"{}"'.format(name.replace('"', '""'))


def listed(names: Iterable[str]) -> str:
    """Quote names, and put commas between them.

    Args:
        names: The names.
    """
    return ", ".join(map(quoted, names))


def sql(template: str, *names: str, **parts: str) -> str:
    """Put names, and parts of SQL, into a statement.

    Args:
        template: The statement, with `{}` for each name and `{part}` for each part.
        *names: The names, which are quoted.
        **parts: SQL that is put in as it is. It never comes from a row.
    """
    return template.format(*map(quoted, names), **parts)
