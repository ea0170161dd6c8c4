"""JSON Schema of the tap's configuration: its own settings, and those of the Meltano SDK.

Only the command line needs the settings of the SDK. They are apart from `schema.py`, so that
reading settings does not import the SDK.
"""

from __future__ import annotations

from typing import Any

from singer_sdk.helpers.capabilities import FLATTENING_CONFIG, STREAM_MAPS_CONFIG

from tap_dynamics365.settings.schema import JSON_SCHEMA

CONFIG_SCHEMA: dict[str, Any] = {
    **JSON_SCHEMA,
    "properties": {
        **JSON_SCHEMA["properties"],
        **STREAM_MAPS_CONFIG["properties"],
        **FLATTENING_CONFIG["properties"],
    },
}
