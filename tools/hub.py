"""Definition of the tap for MeltanoHub: `make hub` writes hub/tap-dynamics365.yml.

Settings, capabilities and Pythons come from `tap-dynamics365 --about --format=json`; closed choices
and the ways to sign in from the tap's tables; addresses from pyproject.toml. docs/hub.md says what
else the Hub needs. The form is the Hub's own: keys and settings are sorted, sequences are not
indented, and nothing is in flow style.

Source: https://github.com/meltano/hub/tree/main/schemas
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml

from tap_dynamics365.settings.checks import REQUIRED
from tap_dynamics365.settings.grant import Grant
from tap_dynamics365.settings.table import SETTINGS
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFINITION = REPOSITORY / "hub" / "tap-dynamics365.yml"
PROGRAM = Path(sys.executable).with_name("tap-dynamics365")
MAINTENANCE = {"4 - Beta": "beta", "5 - Production/Stable": "active"}

NEXT_STEPS = """\
1. Discover at every run, so that new tables and columns are included:

    ```bash
    meltano config set {name} _use_cached_catalog false
    ```

2. To sign in as a person, set `token_store`, and run:

    ```bash
    meltano invoke {name}:login --browser
    ```

3. Choose tables:

    ```bash
    meltano select {name} account '*'
    ```

Some ways to sign in, and the commands `write`, `configure` and `export`, need an extra: {extras}.
Write it into `pip_url`, such as `{name}[azure]`, and run `meltano install`.
"""
SETTINGS_PREAMBLE = """\
Set `service_url` and one way to sign in; everything else is optional. The connection URL of the
DataDirect JDBC driver works as `connection_url`.
"""


def about() -> dict[str, Any]:
    """Ask the tap of this environment what it is."""
    done = subprocess.run(  # noqa: S603 - the program of this project
        [PROGRAM, "--about", "--format=json"], stdout=subprocess.PIPE, text=True, check=True
    )
    described: dict[str, Any] = json.loads(done.stdout)
    return described


def kind(setting: str, schema: Mapping[str, Any]) -> str:
    """Return the Hub's word for the type of a setting.

    Args:
        setting: Name of the setting.
        schema: JSON Schema of the setting.
    """
    if schema.get("secret"):
        return "password"
    if setting in SETTINGS and SETTINGS[setting].choices:
        return "options"
    if schema.get("format") == "date-time":
        return "date_iso8601"
    (name,) = {schema["type"]} if isinstance(schema["type"], str) else {*schema["type"]} - {"null"}
    return str(name)


def hub_setting(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a setting as the Hub does.

    Args:
        name: Name of the setting.
        schema: JSON Schema of the setting.
    """
    described = {
        "name": name,
        "label": schema["title"],
        "description": schema["description"],
        "kind": kind(name, schema),
    }
    if schema.get("secret"):
        described["sensitive"] = True
    if schema.get("default") is not None:
        described["value"] = schema["default"]
    if described["kind"] == "options":
        choices = [str(choice) for choice in SETTINGS[name].choices]
        described["options"] = [{"label": choice, "value": choice} for choice in choices]
    return described


def groups() -> list[list[str]]:
    """Return the sets of settings of which one has to be complete: one for each way to sign in."""
    ways = [
        [grant.value.partition("=")[0], *(name for name, _ in REQUIRED[grant])] for grant in Grant
    ]
    # A refresh token may also be in the file that `dynamics365 login` writes.
    ways.append(["token_store", *(name for name, _ in REQUIRED[Grant.REFRESH_TOKEN])])
    return sorted([["connection_url"], *(sorted(["service_url", *way]) for way in ways)])


def definition(described: Mapping[str, Any], project: Mapping[str, Any]) -> dict[str, Any]:
    """Make the definition.

    Args:
        described: What the tap says of itself.
        project: The table `project` of pyproject.toml.
    """
    name = described["name"]
    repository = project["urls"]["Repository"]
    (status,) = (
        text.partition(" :: ")[2]
        for text in project["classifiers"]
        if text.startswith("Development Status")
    )
    extras = [f"`{extra}`" for extra in project["optional-dependencies"]]
    return {
        "capabilities": sorted(described["capabilities"]),
        "commands": {
            "login": {
                "args": "",
                "description": "Sign in as a person, with --browser or --device-code",
                "executable": "tap-dynamics365-login",
            },
            "check": {
                "args": "check --config=ENV",
                "description": "Check settings, sign-in and tables; says what to do about each "
                "fault",
                "executable": "dynamics365",
            },
            "environments": {
                "args": "environments --config=ENV",
                "description": "List the environments that you may use, with their URLs",
                "executable": "dynamics365",
            },
            "tables": {
                "args": "tables --config=ENV",
                "description": "List tables, the columns of a table with --columns, or its rows "
                "with --rows",
                "executable": "dynamics365",
            },
            "estimate": {
                "args": "estimate --config=ENV",
                "description": "Estimate requests, rows, bytes and time of the first load and of "
                "each run",
                "executable": "dynamics365",
            },
            "query": {
                "args": "query --config=ENV",
                "description": "Read rows with an OData query, such as 'accounts?$top=5'",
                "executable": "dynamics365",
            },
            "export": {
                "args": "export --config=ENV",
                "description": "Export tables into Parquet, Delta, DuckDB or PostgreSQL, without a "
                "target",
                "executable": "dynamics365",
            },
            "write": {
                "args": "write",
                "description": "Write settings and selection into meltano.yml and other files, "
                "after a diff",
                "executable": "dynamics365",
            },
            "configure": {
                "args": "configure --config=ENV",
                "description": "Open a page in the browser to connect, and to choose tables",
                "executable": "dynamics365",
            },
        },
        "description": "Microsoft's business applications: Dataverse, Finance & Operations, and "
        "Business Central",
        "docs": project["urls"]["Documentation"],
        "domain_url": "https://www.microsoft.com/dynamics-365",
        "executable": name,
        "keywords": ["meltano_sdk", "business central", "dataverse", "finance and operations"],
        "label": "Microsoft Dynamics 365",
        "log_parser": "singer-sdk",
        "logo_url": "/assets/logos/extractors/dynamics.png",
        "maintenance_status": MAINTENANCE[status],
        "name": name,
        "namespace": name.replace("-", "_"),
        "next_steps": NEXT_STEPS.format(name=name, extras=", ".join(extras)),
        "pip_url": name,
        "quality": "unknown",
        "repo": repository,
        "settings": sorted(
            (hub_setting(*each) for each in described["settings"]["properties"].items()),
            key=lambda setting: str(setting["name"]),
        ),
        "settings_group_validation": groups(),
        "settings_preamble": SETTINGS_PREAMBLE,
        "supported_python_versions": described["supported_python_versions"],
        "usage": "",
        # The Hub names a variant after the owner of its repository.
        "variant": urlsplit(repository).path.split("/")[1].lower(),
    }


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, so that they can be read."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, "|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def text() -> str:
    """Return the definition as the text of its file."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    made = yaml.dump(
        definition(about(), project), Dumper=_Dumper, allow_unicode=True, default_flow_style=False
    )
    return str(made)


if __name__ == "__main__":
    DEFINITION.parent.mkdir(exist_ok=True)
    DEFINITION.write_text(text(), encoding="utf-8")
