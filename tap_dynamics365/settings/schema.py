"""JSON Schema of the tap's own settings, made from the table of settings."""

from __future__ import annotations

from typing import Any

from tap_dynamics365.settings.table import SETTINGS

#: The SDK's own settings are not in it: see `config_schema.py`.
JSON_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {name: setting.json_schema for name, setting in SETTINGS.items()},
    "$schema": "https://json-schema.org/draft/2020-12/schema",
}
