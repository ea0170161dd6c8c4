"""The tap: its settings, its catalog, its streams, its command line."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from singer_sdk import Tap
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities
from singer_sdk.singerlib import Catalog
from typing_extensions import override

from tap_dynamics365 import inputs, new_columns
from tap_dynamics365.discovery import discover
from tap_dynamics365.engine import Engine
from tap_dynamics365.errors import ServiceError
from tap_dynamics365.pages import PagedStream
from tap_dynamics365.schema import read_catalog
from tap_dynamics365.service import Service
from tap_dynamics365.settings import JSON_SCHEMA, Settings
from tap_dynamics365.writer import LineWriter, Terminated

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    import click


class TapDynamics365(Tap):
    """Extracts the tables of Microsoft Dynamics 365."""

    name = "tap-dynamics365"
    config_jsonschema = JSON_SCHEMA
    message_writer_class = LineWriter
    # Settings are checked for --discover too, which needs the service.
    dynamic_catalog = True
    capabilities = [  # noqa: RUF012 - the SDK's declaration says it is the class's
        TapCapabilities.CATALOG,
        TapCapabilities.STATE,
        TapCapabilities.DISCOVER,
        TapCapabilities.ACTIVATE_VERSION,
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]

    def __init__(
        self, *, catalog: Catalog | Mapping[str, Any] | None = None, **options: Any
    ) -> None:
        """Set up the tap.

        Args:
            catalog: The catalog to sync by, or None to sync all that the service has.
            **options: The SDK's own.
        """
        if isinstance(catalog, Mapping) and not isinstance(catalog, Catalog):
            catalog = read_catalog(catalog)
        super().__init__(catalog=catalog, **options)

    @override
    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Check the settings; the SDK's own messages would repeat values, secrets among them."""
        self.append_builtin_config(self.config_jsonschema)
        self.settings = Settings.from_config(self._config, self.config_jsonschema)
        if self.settings.ignored:
            ignored = ", ".join(self.settings.ignored)
            self.logger.info("Without effect in connection_url: %s.", ignored)
        return []

    @classmethod
    @override
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> Any:
        inputs.check_config(value, cls._env_var_prefix, cls.config_jsonschema)
        return super().cb_config(ctx, param, value)

    @classmethod
    @override
    def get_singer_command(cls) -> click.Command:
        command = super().get_singer_command()
        for option in command.params:
            if option.name in {"catalog", "state"}:
                # The SDK would end with a traceback where the file is not what it should be.
                option.type = inputs.InputFile()
        return command

    @property
    def writer(self) -> LineWriter:
        """What writes the messages."""
        return cast("LineWriter", self.message_writer)

    @cached_property
    def service(self) -> Service:
        """The service that the settings lead to."""
        return Service(self.settings)

    @cached_property
    def catalog(self) -> Catalog:
        """The selected entries of the catalog given, or else all that the service has.

        The SDK compiles a mapping for each entry: those that are not selected cost seconds.
        """
        if self.input_catalog is None:
            settings = self.settings
            return discover(self.service, settings.tables, settings.replication_method)
        return Catalog(
            (name, entry)
            for name, entry in self.input_catalog.items()
            if entry.metadata.resolve_selection()[()]
        )

    @property
    @override
    def catalog_dict(self) -> dict[str, Any]:
        return self.catalog.to_dict()

    @override
    def discover_streams(self) -> Sequence[PagedStream]:
        return [
            PagedStream(self, entry, self.service, self.writer, self.settings)
            for entry in self.catalog.values()
        ]

    @override  # type: ignore[misc]  # final in the SDK, for type checkers only
    def sync_all(self) -> None:
        """Sync the selected streams: side by side, or one by one where the SDK has to.

        Raises:
            SignInError: The sign-in host gave no token.
            ServiceError: Tables failed, or none could be read.
        """
        streams = [stream for stream in self.streams.values() if isinstance(stream, PagedStream)]
        selected = [stream for stream in streams if stream.selected]
        if selected:
            # Before anything is written: a refusal leaves nothing for the target to take in.
            self.service.sign_in()
        self._reset_state_progress_markers()
        if self.state:
            self.state_writer.write_state(self.state)
        # What start-up made stays to the end: to look it over for garbage again and again would
        # take a tenth of the run's processor time.
        gc.freeze()
        try:
            failed = self._sync(selected)
        except Terminated:
            self.state_writer.write_state(self.state)
            raise
        finally:
            self.service.report()
        skipped = [stream.name for stream in selected if stream.unreadable]
        if skipped:
            self.logger.warning(
                "Skipped %d of %d tables: %s.", len(skipped), len(selected), ", ".join(skipped)
            )
        redefined = [stream for stream in selected if stream.is_redefined]
        if redefined and self.input_catalog is not None:
            new_columns.report(self.service, redefined)
        if failed:
            msg = (
                f"{len(failed)} of {len(selected)} tables failed, for the reasons given above: "
                f"{', '.join(failed)}. The state of the others, and of what was read of these, "
                "is safe: run again."
            )
            raise ServiceError(msg)
        if selected and len(skipped) == len(selected):
            msg = "None of the selected tables can be read: the warnings above say why."
            raise ServiceError(msg)

    def _sync(self, streams: list[PagedStream]) -> list[str]:
        """Sync streams, and return the names of those that failed."""
        passed = [stream for stream in streams if stream.is_passed_through]
        engine = Engine(self.service, self.settings.read_ahead_mb * 1_000_000)
        failed = engine.run(passed)
        for stream in streams:
            if stream in passed:
                continue
            try:
                stream.sync()
            except ServiceError as error:
                self.logger.error("Table %r failed. %s", stream.name, error.message)  # noqa: TRY400
                failed.append(stream.name)
            else:
                stream.activate_version()
                stream.finalize_state_progress_markers()
        return failed

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        """End the line under way first, and send a state for what was written."""
        self.logger.info("Ending on signal %d.", signum)
        self.writer.terminate(signum)
