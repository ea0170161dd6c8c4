"""The tap: its settings, its catalog, its streams, its command line."""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, cast

import msgspec
from singer_sdk import Tap
from singer_sdk.exceptions import MappingError
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities
from singer_sdk.singerlib import Catalog
from typing_extensions import override

from tap_dynamics365.errors import (
    OutputError,
    ServiceError,
    SettingsError,
    failure_of_table,
    log_failure,
)
from tap_dynamics365.extract.engine import Engine
from tap_dynamics365.odata.client import Service
from tap_dynamics365.progress.display import LINES_EVERY, shown
from tap_dynamics365.progress.tally import Outcome, Progress
from tap_dynamics365.services.dataverse import schema_map
from tap_dynamics365.settings import CreateMap, Settings, environment
from tap_dynamics365.settings.config_schema import CONFIG_SCHEMA
from tap_dynamics365.singer import new_columns, state_file, stream_key
from tap_dynamics365.singer.catalog import read_catalog
from tap_dynamics365.singer.connection_test import ConnectionTest
from tap_dynamics365.singer.discovery import discover
from tap_dynamics365.singer.input_files import InputFile, read_config
from tap_dynamics365.singer.metadata_stream import (
    MetadataStream,
    are_there,
    describe,
    entries,
    is_one,
)
from tap_dynamics365.singer.paged_stream import PagedStream
from tap_dynamics365.singer.record_stream import not_mapped
from tap_dynamics365.singer.state_writer import PacedStateWriter
from tap_dynamics365.singer.writer import LineWriter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    import click

    from tap_dynamics365.services.dataverse.metadata_tables import Description


class TapDynamics365(Tap):
    """Extracts the tables of Microsoft Dynamics 365."""

    name = "tap-dynamics365"
    config_jsonschema = CONFIG_SCHEMA
    message_writer_class = LineWriter
    #: Seconds from one line that tells the progress to the next.
    progress_every: ClassVar[float] = LINES_EVERY
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
        self.settings = Settings.from_config(self._config, self.config_jsonschema)
        if self.settings.ignored:
            ignored = ", ".join(self.settings.ignored)
            self.logger.info("Without effect in connection_url: %s.", ignored)
        for name in self.settings.unknown:
            self.logger.warning("%s", name)
        return []

    @classmethod
    @override
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> Any:
        given = super().cb_config(ctx, param, tuple(path for path in value if path == "ENV"))
        # In place of the SDK, which would tell nothing of a file that holds something else.
        given.config = read_config(path for path in value if path != "ENV")
        if given.parse_env:
            environment.check(cls.config_jsonschema)
        else:
            environment.warn(cls.config_jsonschema)
        return given

    @classmethod
    @override
    def get_singer_command(cls) -> click.Command:
        command = super().get_singer_command()
        for option in command.params:
            if option.name in {"catalog", "state"}:
                # The SDK would end with a traceback where the file is not what it should be.
                option.type = InputFile()
        return command

    @override
    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state_file.without_nulls(state))

    @override
    def setup_mapper(self) -> None:
        # Read before: what is wrong with it has nothing to do with the settings named below.
        _ = self.catalog
        try:
            super().setup_mapper()
        except (MappingError, ValueError) as error:
            raise SettingsError(not_mapped(error)) from None

    @property
    def writer(self) -> LineWriter:
        """What writes the messages."""
        return cast("LineWriter", self.message_writer)

    @cached_property
    def states(self) -> PacedStateWriter:
        """What writes the state."""
        return PacedStateWriter(self.writer)

    @property
    @override
    def state_writer(self) -> PacedStateWriter:
        return self.states

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
            # What start-up made is no garbage: to look it over again and again takes its time.
            gc.freeze()
            catalog = discover(self.service, settings)
            if settings.metadata_streams and are_there(self.service):
                catalog.update(entries())
            return catalog
        selected = Catalog(
            (name, entry)
            for name, entry in self.input_catalog.items()
            if entry.metadata.resolve_selection()[()]
        )
        for entry in selected.values():
            stream_key.check(entry)
        return selected

    @property
    @override
    def catalog_dict(self) -> dict[str, Any]:
        return self.catalog.to_dict()

    @property
    @override
    def catalog_json_text(self) -> str:
        # As the SDK writes it, in a fifth of the time: a large one has megabytes.
        return msgspec.json.format(msgspec.json.encode(self.catalog_dict), indent=2).decode()

    @override
    def run_discovery(self) -> str:
        text = self.catalog_json_text
        # What nobody reads to its end, or does not fit on a disk, is told as for messages.
        self.writer.write_lines(f"{text}\n".encode())
        return text

    @override
    def discover_streams(self) -> Sequence[PagedStream | MetadataStream]:
        return [
            MetadataStream(self, entry, lambda: self.metadata)
            if is_one(entry)
            else PagedStream(self, entry, self.service, self.states, self.settings)
            for entry in self.catalog.values()
        ]

    @cached_property
    def metadata(self) -> Description:
        """What the service says of the tables in the catalog, selected or not."""
        entries = self.catalog if self.input_catalog is None else self.input_catalog
        names = [name for name, entry in entries.items() if not is_one(entry)]
        settings = self.settings
        rebuilt = settings.create_map in {CreateMap.ON_CHANGE, CreateMap.FORCE_NEW}
        if self.input_catalog is None and rebuilt:
            # Discovery has just seen to it that what is kept is as it is to be.
            settings = replace(settings, create_map=CreateMap.NOT_EXIST)
        return describe(self.service, settings, names)

    @override  # type: ignore[misc]  # final in the SDK, for type checkers only
    def run_connection_test(self) -> bool:
        streams = [stream for stream in self.streams.values() if stream.selected]
        self.service.sign_in()
        test = ConnectionTest(self.service)
        test.tables(stream for stream in streams if isinstance(stream, PagedStream))
        for stream in streams:
            if isinstance(stream, MetadataStream):
                test.stream(stream, stream.sample)
        test.conclude()
        return True

    @override  # type: ignore[misc]  # final in the SDK, for type checkers only
    def sync_all(self) -> None:
        """Sync the selected streams: side by side, or one by one where the SDK has to.

        Raises:
            SettingsError: What tables are described by is to come from a file, and is not there.
            SignInError: The sign-in host gave no token.
            ServiceError: Tables failed, or none could be read.
        """
        streams = [stream for stream in self.streams.values() if stream.selected]
        tallies = [s.tally for s in streams if isinstance(s, (PagedStream, MetadataStream))]
        progress = Progress(tallies, self.service.throttle, self.service.traffic)
        try:
            self._sync_streams(
                [stream for stream in streams if isinstance(stream, PagedStream)],
                [stream for stream in streams if isinstance(stream, MetadataStream)],
                progress,
            )
        finally:
            self.service.report()
            self.logger.info(progress.summary(time.monotonic()))

    def _sync_streams(
        self,
        selected: list[PagedStream],
        describing: list[MetadataStream],
        progress: Progress,
    ) -> None:
        """Sync streams, and tell at the end what became of them."""
        if describing:
            schema_map.check(self.service, self.settings)
        if selected or describing:
            # Before anything is written: a refusal leaves nothing for the target to take in.
            self.service.sign_in()
        self._reset_state_progress_markers()
        self.states.write_now(self.state)
        # What start-up made stays to the end: to look it over for garbage again and again would
        # take a tenth of the run's processor time.
        gc.freeze()
        try:
            with shown(progress, self.service, self.progress_every):
                failed = self._sync(selected) + self._sync_metadata(describing)
        except OutputError:
            raise
        except BaseException:
            # Told to end, or unable to go on.
            self.states.write_now(self.state)
            raise
        self.states.write_now(self.state)
        skipped = [stream.name for stream in selected if stream.unreadable]
        if skipped:
            self.logger.warning(
                "Skipped %d of %d tables: %s.", len(skipped), len(selected), ", ".join(skipped)
            )
        self._compare_columns(selected)
        if failed:
            msg = (
                f"{len(failed)} of {len(selected) + len(describing)} tables failed, for the "
                f"reasons given above: {', '.join(failed)}. The state of the others, and of what "
                "was read of these, is safe: run again."
            )
            raise ServiceError(msg)
        if selected and len(skipped) == len(selected):
            msg = "None of the selected tables can be read: the warnings above say why."
            raise ServiceError(msg)

    def _compare_columns(self, streams: list[PagedStream]) -> None:
        """Tell of columns that have come since the catalog was made; note that in the state."""
        redefined = [stream for stream in streams if stream.new_definitions is not None]
        is_new_catalog = self.input_catalog is None
        if redefined and (is_new_catalog or new_columns.report(self.service, redefined)):
            for stream in redefined:
                stream.accept_definitions()
            self.states.write_now(self.state)

    def _sync(self, streams: list[PagedStream]) -> list[str]:
        """Sync streams, and return the names of those that failed."""
        passed = [stream for stream in streams if stream.is_passed_through]
        engine = Engine(self.service, self.states, self.settings.read_ahead_mb * 1_000_000)
        failed = engine.run(passed)
        for stream in streams:
            if stream in passed:
                continue
            try:
                stream.sync_by_record()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is this table's failure
                stream.fail(failure_of_table(error))
                failed.append(stream.name)
        return failed

    def _sync_metadata(self, streams: list[MetadataStream]) -> list[str]:
        """Sync what describes the tables, and return the names of streams that failed."""
        if not streams:
            return []
        if not are_there(self.service):
            for stream in streams:
                stream.tally.outcome = Outcome.SKIPPED
            return []
        try:
            # Read here once for all of them.
            self.logger.info("Describing %d tables.", len(self.metadata.tables))
        except Exception as error:  # noqa: BLE001 - tables are whole nevertheless
            log_failure("The metadata streams", failure_of_table(error))
            for stream in streams:
                stream.tally.outcome = Outcome.FAILED
            return [stream.name for stream in streams]
        failed = []
        for stream in streams:
            try:
                stream.sync_by_record()
            except Exception as error:  # noqa: BLE001 - as above
                stream.fail(failure_of_table(error))
                failed.append(stream.name)
        return failed

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        """End the line under way first, and send a state for what was written."""
        self.writer.terminate(signum)
