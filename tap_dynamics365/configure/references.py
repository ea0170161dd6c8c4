"""References: how the chosen tables refer to each other, as a list and as a picture."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from tap_dynamics365.services import references

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tap_dynamics365.configure.table_list import TableList
    from tap_dynamics365.services.kind import Service
    from tap_dynamics365.services.references import Reference

# A picture with more tables can't be read.
MOST_DRAWN = 24
# Tables that so many tables refer to, and most of the chosen ones, are not drawn: their lines would
# cover all others.
MANY = 5
WIDTH, HEIGHT, RADIUS = 960, 540, 230


class Node(NamedTuple):
    """A table in the picture.

    Attributes:
        name: Its name.
        x: Where it is.
        y: As above.
        is_left: Whether its name is on its left.
    """

    name: str
    x: float
    y: float
    is_left: bool


class Picture(NamedTuple):
    """Tables on a circle, and lines between them.

    Attributes:
        nodes: The tables.
        lines: The ends of each line, which leads to its second end.
        common: Tables that most of the chosen ones refer to, which are not drawn.
        left_out: How many tables are not drawn, because there are too many.
    """

    nodes: Sequence[Node]
    lines: Sequence[tuple[Node, Node]]
    common: Sequence[str]
    left_out: int


def chosen(found: TableList, service: Service) -> list[Reference]:
    """Return the references between the chosen tables, by columns that are chosen.

    Args:
        found: The tables.
        service: The service. It is asked once.

    Raises:
        Dynamics365Error: The service can't be asked.
    """
    if found.links is None:
        found.links = references.read(service, [*found.described.values()])
    return [
        each
        for each in found.links
        if each.target in found.selection
        and each.table in found.selection
        and (found.columns[each.table].automatic | found.selection[each.table]).issuperset(
            each.columns
        )
    ]


def picture(listed: Iterable[Reference], chosen: int) -> Picture:
    """Place the tables on a circle.

    Args:
        listed: The references.
        chosen: How many tables are chosen.
    """
    pairs = {(each.table, each.target) for each in listed if each.table != each.target}
    referring = Counter(target for _, target in pairs)
    common = [name for name, count in referring.most_common() if count > max(MANY, chosen / 2)]
    pairs = {pair for pair in pairs if not {*pair} & {*common}}
    degrees = Counter(name for pair in pairs for name in pair)
    drawn = [name for name, _ in degrees.most_common(MOST_DRAWN)]
    # Tables that belong together have similar names more often than not.
    drawn.sort()
    nodes = {}
    for number, name in enumerate(drawn):
        # None is at the very top, where its name would be over its neighbour.
        angle = 2 * math.pi * (number + 0.5) / len(drawn)
        x, y = WIDTH / 2 + RADIUS * math.sin(angle), HEIGHT / 2 - RADIUS * math.cos(angle)
        nodes[name] = Node(name, round(x, 1), round(y, 1), is_left=x < WIDTH / 2)
    lines = [
        (nodes[one], nodes[other])
        for one, other in sorted(pairs)
        if one in nodes and other in nodes
    ]
    return Picture([*nodes.values()], lines, common, len(degrees) - len(drawn))
