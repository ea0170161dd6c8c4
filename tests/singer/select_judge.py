"""Meltano's own reading of select patterns: runs in Meltano's environment, one catalog a line.

Reads JSON lines with `catalog` and `rules`. Writes the selected columns of each selected table.
"""

from __future__ import annotations

import json
import logging
import sys

import structlog
from meltano.core.plugin.singer.catalog import (
    ListSelectedExecutor,
    MetadataExecutor,
    SelectionType,
    select_metadata_rules,
)

# Meltano logs each change of a catalog to standard output.
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))

for line in sys.stdin:
    given = json.loads(line)
    rules = [*select_metadata_rules(["!*.*"]), *select_metadata_rules(given["rules"])]
    MetadataExecutor(rules).visit(given["catalog"])
    found = ListSelectedExecutor()
    # Columns are read here: Meltano cuts their names at dots.
    found.visit(given["catalog"])
    tables = {node.key for node in found.streams if node.selection}
    selected = {
        stream["tap_stream_id"]: [
            item["breadcrumb"][1]
            for item in stream["metadata"]
            if len(item["breadcrumb"]) == 2 and found.node_selection(item) is SelectionType.SELECTED
        ]
        for stream in given["catalog"]["streams"]
        if stream["tap_stream_id"] in tables
    }
    print(json.dumps(selected), flush=True)  # noqa: T201
