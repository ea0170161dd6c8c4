"""Peers: other extractors that do the same work, installed and not changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from benchmarks.loads import Work
from benchmarks.programs import LONG_AGO, PEERS, Program, last_state, output, select
from tools import organisation
from tools.measuring import Command, FailedError

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.loads import Load
    from benchmarks.programs import Catalog, Place

CREDENTIALS = ("client_id", "client_secret", "refresh_token")


class Peer(Program):
    """A program whose built-in hosts are redirected to the sandbox."""

    def redirection(self, place: Place) -> dict[str, str]:
        """The environment variables that redirect it."""
        return {"PYTHONPATH": str(PEERS), "SANDBOX_URL": place.service.url}


class MsDynamics(Peer):
    """tap-ms-dynamics, the classic Singer tap."""

    name = "tap-ms-dynamics"
    package = "tap-ms-dynamics"
    environment = ".venv-bench-ms-dynamics"

    def command(self, load: Load, place: Place) -> Command:
        """The command, with a catalog that it discovered and a state that it wrote."""
        settings = {
            "organization_uri": place.service.url,
            **{name: place.service.settings[name] for name in CREDENTIALS},
            "redirect_uri": "http://localhost",
            "user_agent": "benchmark",
            "start_date": LONG_AGO,
            "max_pagesize": 5000,
        }
        config = place.file("config.json", settings)
        base = [self.executable("tap-ms-dynamics"), "--config", config]
        variables = self.redirection(place)
        if load.work is Work.DISCOVER:
            return Command([*base, "--discover"], variables)
        catalog: Catalog = json.loads(output(Command([*base, "--discover"], variables)))
        select(catalog, load)
        command = [*base, "--catalog", place.file("catalog.json", catalog)]
        if load.work is Work.READ_NOTHING_NEW:
            state = last_state(output(Command(command, variables)))
            command += ["--state", place.file("state.json", state)]
        return Command(command, variables)


class Airbyte(Peer):
    """Airbyte's source for Dataverse."""

    name = "Airbyte source"
    package = "airbyte-source-microsoft-dataverse"
    environment = ".venv-bench-airbyte"

    def command(self, load: Load, place: Place) -> Command:
        """The command, with a catalog that it discovered and a state that it wrote."""
        settings = {
            "url": place.service.url,
            "client_id": place.settings["client_id"],
            "client_secret_value": place.settings["client_secret"],
            "tenant_id": place.service.announced["tenant_id"],
            "odata_maxpagesize": 5000,
        }
        config, variables = place.file("config.json", settings), self.redirection(place)
        source = self.executable("source-microsoft-dataverse")
        discover = Command([source, "discover", "--config", config], variables)
        if load.work is Work.DISCOVER:
            return discover
        streams = [self._configured(s, load) for s in self._streams(discover, load)]
        catalog = place.file("catalog.json", {"streams": streams})
        command = [source, "read", "--config", config, "--catalog", catalog]
        if load.work is Work.READ_NOTHING_NEW:
            messages = output(Command(command, variables)).splitlines()
            states = [json.loads(line)["state"] for line in messages if '"STATE"' in line]
            latest = {json.dumps(s.get("stream", {}).get("stream_descriptor")): s for s in states}
            command += ["--state", place.file("state.json", list(latest.values()))]
        return Command(command, variables)

    def _streams(self, discover: Command, load: Load) -> list[dict[str, Any]]:
        for line in output(discover).splitlines():
            message = json.loads(line)
            if message["type"] == "CATALOG":
                streams = message["catalog"]["streams"]
                return [stream for stream in streams if stream["name"] in load.tables]
        message = "no catalog"
        raise FailedError(message)

    def _configured(self, stream: dict[str, Any], load: Load) -> dict[str, Any]:
        kept = load.chosen(stream["name"])
        schema = stream["json_schema"]
        chosen = {k: v for k, v in schema["properties"].items() if k in kept or k[0] == "_"}
        return {
            "stream": {**stream, "json_schema": {**schema, "properties": chosen}},
            "sync_mode": "incremental",
            "destination_sync_mode": "append",
            "cursor_field": ["modifiedon"],
            "primary_key": stream["source_defined_primary_key"],
        }


class Dlt(Peer):
    """dlt's generic REST source."""

    name = "dlt rest_api, extract only"
    package = "dlt"
    environment = ".venv-bench-dlt"
    cannot: ClassVar = {
        Work.DISCOVER: "it has no discovery",
        Work.READ_NOTHING_NEW: "its loop of 30 lines keeps no state",
    }

    def command(self, load: Load, place: Place) -> Command:
        """The command of its loop."""
        tables = [
            {"name": table, "set": organisation.entity_set(table), "query": load.query(table)}
            for table in load.tables
        ]
        return self.loop(place.file("given.json", {**place.settings, "tables": tables}), place)

    def loop(self, given: Path, place: Place) -> Command:
        """The command of its loop with a configuration file.

        Args:
            given: The file.
            place: Service and folder of the program.
        """
        quiet = {"RUNTIME__DLTHUB_TELEMETRY": "false"}
        return Command(
            [self.python, PEERS / "dlt_rows.py", given], {**self.redirection(place), **quiet}
        )


class Client(Peer):
    """Microsoft's Python client for Dataverse."""

    name = "Microsoft's client, plain loop"
    package = "powerplatform-dataverse-client"
    environment = ".venv-bench-dataverse"
    cannot: ClassVar = {
        Work.DISCOVER: "a loop over rows has no discovery",
        Work.READ_NOTHING_NEW: "a loop over rows keeps no state",
    }

    def command(self, load: Load, place: Place) -> Command:
        """The command of its loop."""
        tables = [
            {"name": table, "columns": load.chosen(table) if load.columns else None}
            for table in load.tables
        ]
        given = place.file("given.json", {**place.settings, "tables": tables})
        return Command([self.python, PEERS / "client_rows.py", given], self.redirection(place))
