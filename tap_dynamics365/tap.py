"""Singer tap: settings, catalog, streams and command line."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from singer_sdk import Tap
from singer_sdk.exceptions import MappingError
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities
from singer_sdk.singerlib import Catalog
from typing_extensions import override

from tap_dynamics365 import __version__
from tap_dynamics365.connection import open_service
from tap_dynamics365.errors import CatalogError, SettingsError
from tap_dynamics365.extract.read import LOG_BASED
from tap_dynamics365.extract.skipped import Skipped
from tap_dynamics365.extract.state import without_nulls
from tap_dynamics365.progress.display import LINES_EVERY
from tap_dynamics365.services.registry import complete_url
from tap_dynamics365.settings import CreateMap, Settings, environment, filters
from tap_dynamics365.settings.config_schema import CONFIG_SCHEMA
from tap_dynamics365.singer import process, service_notices, stream_key
from tap_dynamics365.singer.catalog import read_catalog
from tap_dynamics365.singer.connection_test import ConnectionTest
from tap_dynamics365.singer.discovery import discover, in_json
from tap_dynamics365.singer.input_files import InputFile, read_config
from tap_dynamics365.singer.metadata_stream import (
    MetadataStream,
    entries,
    is_metadata_stream,
    is_supported,
)
from tap_dynamics365.singer.record_stream import mapping_error
from tap_dynamics365.singer.state_writer import PacedStateWriter
from tap_dynamics365.singer.sync import Sync
from tap_dynamics365.singer.table_stream import TableStream
from tap_dynamics365.singer.writer import LineWriter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

    import click
    from singer_sdk.singerlib import CatalogEntry

    from tap_dynamics365.services.kind import Service
    from tap_dynamics365.services.part import Part

S = TypeVar("S", TableStream, MetadataStream)

#: Values of `create_map` with which discovery refreshes the file.
REFRESHED_BY_DISCOVERY = {CreateMap.ON_CHANGE, CreateMap.FORCE_NEW}


class TapDynamics365(Tap):
    """Extracts the tables of Microsoft Dynamics 365."""

    name = "tap-dynamics365"
    config_jsonschema = CONFIG_SCHEMA
    message_writer_class = LineWriter
    #: Seconds between two progress lines in the log.
    progress_every: ClassVar[float] = LINES_EVERY
    # --discover needs the service, so settings are checked for it too.
    dynamic_catalog = True
    capabilities = [  # noqa: RUF012 - the SDK declares it as an attribute of the class
        TapCapabilities.CATALOG,
        TapCapabilities.STATE,
        TapCapabilities.DISCOVER,
        TapCapabilities.LOG_BASED,
        PluginCapabilities.ACTIVATE_VERSION,
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
            catalog: The catalog; None to extract every table of the service.
            **options: The options of the SDK's class.
        """
        if isinstance(catalog, Mapping) and not isinstance(catalog, Catalog):
            catalog = read_catalog(catalog)
        super().__init__(catalog=catalog, **options)

    @override
    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Check the settings. The SDK's own messages would repeat values, and so reveal secrets."""
        self.settings = Settings.from_config(
            self._config, self.config_jsonschema, complete_url=complete_url
        )
        if self.settings.ignored:
            ignored = ", ".join(self.settings.ignored)
            self.logger.info("Without effect in connection_url: %s.", ignored)
        for name in self.settings.unknown:
            self.logger.warning("%s", name)
        if self.settings.metrics_log_level == "WARNING":
            # The SDK has given this logger the level of the whole log.
            self.metrics_logger.setLevel(logging.WARNING)
        return []

    @property
    @override
    def _env_var_config(self) -> dict[str, Any]:
        return environment.read(self.config_jsonschema)

    @classmethod
    @override
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> Any:
        given = super().cb_config(ctx, param, tuple(path for path in value if path == "ENV"))
        # The SDK would not say what is wrong with a file.
        given.config = read_config(path for path in value if path != "ENV")
        if given.parse_env:
            environment.check(cls.config_jsonschema)
        else:
            environment.warn(cls.config_jsonschema)
        return given

    @classmethod
    @override
    def get_plugin_version(cls) -> str:
        # The SDK would search the installed packages, and parse the README in the metadata.
        return __version__

    @classmethod
    @override
    def get_singer_command(cls) -> click.Command:
        command = super().get_singer_command()
        for option in command.params:
            if option.name in {"catalog", "state"}:
                # The SDK would end with a traceback if the file is not valid.
                option.type = InputFile()
        return command

    @override
    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(without_nulls(state))

    @property
    def lacks_selection(self) -> bool:
        """Whether the service wants tables to be selected, and neither settings nor catalog do."""
        selects = self.settings.tables or self.service.kind.selects_all
        return self.input_catalog is None and not selects

    @override
    def setup_mapper(self) -> None:
        if self.lacks_selection:
            msg = (
                f"No table is selected: for {self.service.kind.name}, set tables, or pass a "
                "catalog in which tables are selected."
            )
            raise SettingsError(msg)
        # First, because errors in the catalog are not errors in the mapping settings.
        _ = self.catalog
        try:
            super().setup_mapper()
        except (MappingError, ValueError) as error:
            raise SettingsError(mapping_error(error)) from None

    @property
    def writer(self) -> LineWriter:
        """Writes the messages."""
        return cast("LineWriter", self.message_writer)

    @cached_property
    def states(self) -> PacedStateWriter:
        """Writes the state."""
        return PacedStateWriter(self.writer)

    @property
    @override
    def state_writer(self) -> PacedStateWriter:
        return self.states

    @cached_property
    def service(self) -> Service:
        """The connection to the service."""
        process.hide_secrets()
        process.read_bodies_whole()
        return open_service(self.settings)

    @cached_property
    def skipped(self) -> Skipped:
        """Logs which tables and parts of tables are skipped."""
        return Skipped()

    @cached_property
    def parts(self) -> Sequence[Part]:
        """The parts of the service, such as companies, selected or not."""
        return self.service.kind.parts(self.service.client, self.settings)

    @cached_property
    def catalog(self) -> Catalog:
        """The selected entries of the given catalog; without one, every table of the service.

        The SDK compiles a mapping for each entry. For entries that are not selected, that would
        waste seconds.
        """
        if self.input_catalog is None:
            process.freeze()
            return Catalog((entry.tap_stream_id, entry) for entry in self._discover())
        selected = Catalog(
            (name, entry)
            for name, entry in self.input_catalog.items()
            if entry.metadata.resolve_selection()[()]
        )
        for entry in selected.values():
            stream_key.check(entry)
            if entry.replication_method == LOG_BASED and not self.service.kind.tracks_changes:
                msg = (
                    f"The catalog wants LOG_BASED for {entry.tap_stream_id!r}: only Dataverse "
                    f"tracks changes, and service_url leads to {self.service.kind.name}. To remove "
                    "deleted rows, use FULL_TABLE with emit_activate_version_messages."
                )
                raise CatalogError(msg)
        return selected

    @property
    @override
    def catalog_dict(self) -> dict[str, Any]:
        return self.catalog.to_dict()

    @property
    @override
    def catalog_json_text(self) -> str:
        return "".join(in_json(self.catalog.values())).removesuffix("\n")

    @override
    def run_discovery(self) -> str:
        """Write the catalog to standard output.

        Returns:
            An empty string. The text of a large catalog has a hundred megabytes.
        """
        process.freeze()
        # Compressed until the last table has been read, so that nothing is written if the service
        # refuses one.
        pieces = [zlib.compress(lines.encode(), level=1) for lines in in_json(self._discover())]
        for lines in map(zlib.decompress, pieces):
            # Errors of standard output are reported as for messages.
            self.writer.write_lines(lines)
        return ""

    def _discover(self) -> Iterator[CatalogEntry]:
        """Yield the entries of all tables, and of the metadata streams if they are wanted."""
        yield from discover(self.service, self.settings)
        if self.settings.metadata_streams and is_supported(self.service.kind):
            yield from entries(self.service.kind).values()

    @override
    def discover_streams(self) -> Sequence[TableStream | MetadataStream]:
        return [
            MetadataStream(self, entry, lambda: self.described)
            if is_metadata_stream(entry)
            else TableStream(
                self,
                entry,
                self.service,
                self.states,
                self.settings,
                every_part=lambda: self.parts,
                skipped=self.skipped,
            )
            for entry in self.catalog.values()
        ]

    @cached_property
    def described(self) -> Any:  # noqa: ANN401 - only the streams of the service know its type
        """The service's description of all tables in the catalog, selected or not."""
        kind, settings = self.service.kind, self.settings
        entries = self.catalog if self.input_catalog is None else self.input_catalog
        names = [name for name, entry in entries.items() if not is_metadata_stream(entry)]
        if self.input_catalog is None and settings.create_map in REFRESHED_BY_DISCOVERY:
            # Discovery has just refreshed the file.
            settings = replace(settings, create_map=CreateMap.NOT_EXIST)
        return kind.describe_streams and kind.describe_streams(self.service, settings, names)

    def _selected(self, kind: type[S]) -> list[S]:
        """Return the selected streams of a kind."""
        return [s for s in self.streams.values() if s.selected and isinstance(s, kind)]

    @cached_property
    def selected_tables(self) -> list[TableStream]:
        """The streams of the selected tables. Filters of other tables are logged."""
        tables = self._selected(TableStream)
        for name in filters.unmatched(self.settings.filters, [table.name for table in tables]):
            self.logger.warning("No selected table matches %r of the setting filters.", name)
        patterns = dict.fromkeys(self.settings.sorted_tables, "")
        for name in filters.unmatched(patterns, [table.name for table in tables]):
            self.logger.warning("No selected table matches %r of the setting sorted_tables.", name)
        return tables

    @override  # type: ignore[misc]  # final in the SDK, for type checkers only
    def run_connection_test(self) -> bool:
        process.tune()
        tables = self.selected_tables
        service_notices.log(self.service.kind, self.settings, tables)
        self.service.client.sign_in()
        test = ConnectionTest(self.service.client.concurrency)
        for table in tables:
            _ = table.parts
        test.tables(tables)
        for stream in self._selected(MetadataStream):
            test.stream(stream, stream.sample)
        test.conclude()
        return True

    @override  # type: ignore[misc]  # final in the SDK, for type checkers only
    def sync_all(self) -> None:
        """Sync the selected streams.

        Raises:
            SettingsError: The file with the description does not exist.
            SignInError: The sign-in host gave no token.
            ServiceError: Tables failed, or no table could be read.
        """
        process.tune()
        sync = Sync(
            self.service,
            self.settings,
            self.states,
            self.state,
            tables=self.selected_tables,
            metadata_streams=self._selected(MetadataStream),
            skipped=self.skipped,
            progress_every=self.progress_every,
        )
        self._reset_state_progress_markers()
        sync.run(
            lambda: self.described,
            may_lack_columns=self.input_catalog is not None,
        )

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        """Complete the current line, and write a state for what was sent."""
        self.writer.terminate(signum)
