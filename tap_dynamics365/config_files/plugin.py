"""Definition of the tap as a plugin of Meltano, for a project that does not have it yet.

meltano.yml of the repository has the same definition with labels and descriptions.
"""

from __future__ import annotations

import json
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from tap_dynamics365.config_files.found import type_of
from tap_dynamics365.settings.config_schema import CONFIG_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "tap-dynamics365"
CAPABILITIES = (
    "catalog",
    "state",
    "discover",
    "log-based",
    "activate-version",
    "about",
    "stream-maps",
    "schema-flattening",
    "structured-logging",
)
#: The arguments of each command of `dynamics365`.
COMMANDS = {
    "login": "login",
    "check": "check --config=ENV",
    "environments": "environments --config=ENV",
    "tables": "tables --config=ENV",
    "estimate": "estimate --config=ENV",
    "export": "export --config=ENV",
    "query": "query --config=ENV",
    "write": "write",
    "configure": "configure --config=ENV",
}


def definition(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the definition of the plugin, as meltano.yml has it.

    Args:
        settings: The settings, which tell the extras of the package that the tap needs.
    """
    return {
        "name": NAME,
        "namespace": "tap_dynamics365",
        "pip_url": pip_url(_extras(settings)),
        "executable": NAME,
        # New tables and columns are seen only by a new discovery.
        "use_cached_catalog": False,
        "capabilities": [*CAPABILITIES],
        "commands": {
            name: {"executable": "dynamics365", "args": arguments}
            for name, arguments in COMMANDS.items()
        },
        "settings": [_setting(name) for name in CONFIG_SCHEMA["properties"]],
    }


def pip_url(extras: str = "") -> str:
    """Return from where Meltano installs the tap: from where this one was installed.

    Args:
        extras: The extras of the package, such as `[azure]`.
    """
    try:
        text = Distribution.from_name(NAME).read_text("direct_url.json")
    except PackageNotFoundError:
        text = None
    # PEP 610: where a package was installed from, unless it came from an index.
    origin: dict[str, Any] = json.loads(text or "{}")
    url = origin.get("url", "")
    if "vcs_info" in origin:
        kind, commit = origin["vcs_info"]["vcs"], origin["vcs_info"]["commit_id"]
        return f"{NAME}{extras} @ {kind}+{url}@{commit}"
    if urlsplit(url).scheme == "file":
        path = Path(url2pathname(urlsplit(url).path))
        editable = "-e " if origin.get("dir_info", {}).get("editable") else ""
        return f"{editable}{path}{extras}"
    return f"{NAME}{extras}"


def _extras(settings: Mapping[str, Any]) -> str:
    """Return the extras that the way to sign in needs."""
    method = str(settings.get("authentication_method") or "")
    needed = {
        "azure": settings.get("azure_credential"),
        "certificate": settings.get("client_certificate"),
        "ntlm": method.lower() == "ntlm",
    }
    found = ",".join(name for name, is_needed in needed.items() if is_needed)
    return f"[{found}]" if found else ""


def _setting(name: str) -> dict[str, Any]:
    schema = CONFIG_SCHEMA["properties"][name]
    setting: dict[str, Any] = {"name": name, "kind": type_of(name)}
    if schema.get("secret"):
        setting["sensitive"] = True
    return setting
