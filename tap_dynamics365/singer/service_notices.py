"""Service notices: what a user has to know before the rows of the selected tables are read."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tap_dynamics365.extract.read import INCREMENTAL
from tap_dynamics365.services.selected_table import SelectedTable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_dynamics365.services.kind import ServiceKind
    from tap_dynamics365.settings import Settings
    from tap_dynamics365.singer.table_stream import TableStream

logger = logging.getLogger("tap-dynamics365")


def log(kind: ServiceKind, settings: Settings, streams: Iterable[TableStream]) -> None:
    """Log what the service has to say of the selected tables.

    Args:
        kind: The service.
        settings: The settings.
        streams: The streams of the selected tables.
    """
    specs = [stream.spec for stream in streams]
    tables = [
        SelectedTable(
            name=spec.name,
            entity_set=spec.entity_set,
            columns=spec.columns,
            is_incremental=spec.method == INCREMENTAL,
        )
        for spec in specs
    ]
    for notice in kind.notices(settings, tables):
        logger.warning("%s", notice)
