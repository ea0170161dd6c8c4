"""Metadata JSON: the types in which Dataverse describes its tables, and their conversion.

`RetrieveMetadataChanges` and `EntityDefinitions` use the same properties. Each one may be null or
missing, because it was not requested or because the version of the service does not have it.
https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/complexentitymetadata
"""

from __future__ import annotations

import msgspec

from tap_dynamics365.services.table_definition import (
    NO_TEXTS,
    ColumnDefinition,
    Option,
    OptionSet,
    TableDefinition,
    Texts,
)


class _Answer(msgspec.Struct, rename="pascal", gc=False):
    """An object with the property names of the service."""


class Name(_Answer):
    """A value wrapped in an object: a kind, a format, a behavior or a level."""

    value: str | None = None


class LocalizedLabel(_Answer):
    """A text in one language."""

    label: str | None = None
    language_code: int | None = None


class Label(_Answer):
    """A text in several languages."""

    localized_labels: list[LocalizedLabel] | None = None
    user_localized_label: LocalizedLabel | None = None

    def texts(self) -> Texts:
        """Convert the label."""
        user = self.user_localized_label
        labels = [*(self.localized_labels or ()), *([user] if user else [])]
        return Texts(
            {
                each.language_code: each.label
                for each in labels
                if each.label and each.language_code is not None
            },
            user.language_code if user and user.label else None,
        )


class OptionMetadata(_Answer):
    """One option of a choice column. Only options of a status column have a state."""

    value: int | None = None
    label: Label | None = None
    state: int | None = None


class OptionSetMetadata(_Answer):
    """The options of a choice column, or the two options of a yes/no column."""

    name: str | None = None
    is_global: bool | None = None
    options: list[OptionMetadata] | None = None
    true_option: OptionMetadata | None = None
    false_option: OptionMetadata | None = None

    def to_definition(self) -> OptionSet:
        """Convert the options."""
        options = [*(self.options or ()), self.false_option, self.true_option]
        return OptionSet(
            self.name or "",
            bool(self.is_global),
            tuple(
                Option(each.value, _texts(each.label), each.state)
                for each in options
                if each is not None and each.value is not None
            ),
        )


class AttributeMetadata(_Answer):
    """A column of any kind."""

    logical_name: str
    metadata_id: str | None = None
    schema_name: str | None = None
    attribute_of: str | None = None
    attribute_type_name: Name | None = None
    display_name: Label | None = None
    description: Label | None = None
    format: str | None = None
    format_name: Name | None = None
    date_time_behavior: Name | None = None
    max_length: int | None = None
    precision: int | None = None
    required_level: Name | None = None
    is_custom_attribute: bool | None = None
    is_valid_for_read: bool | None = None
    targets: list[str] | None = None
    option_set: OptionSetMetadata | None = None
    global_option_set: OptionSetMetadata | None = None

    def add(self, other: AttributeMetadata) -> None:
        """Add the properties that another response has of the same column."""
        for name in self.__struct_fields__:
            if getattr(self, name) is None:
                setattr(self, name, getattr(other, name))

    def to_definition(self) -> ColumnDefinition:
        """Convert the column."""
        options = self.option_set or self.global_option_set
        # Text columns also have the newer FormatName, which has more formats.
        form = _value(self.format_name) or self.format
        return ColumnDefinition(
            name=self.logical_name,
            schema_name=self.schema_name or "",
            id=self.metadata_id or "",
            kind=_value(self.attribute_type_name) or "",
            attribute_of=self.attribute_of,
            display_name=_texts(self.display_name),
            description=_texts(self.description),
            format=None if form == "None" else form,
            behavior=_value(self.date_time_behavior),
            max_length=self.max_length,
            precision=self.precision,
            required=_value(self.required_level),
            custom=bool(self.is_custom_attribute),
            readable=self.is_valid_for_read is not False,
            targets=tuple(self.targets or ()),
            options=options.to_definition() if options else None,
        )


class EntityMetadata(_Answer):
    """A table."""

    logical_name: str
    metadata_id: str | None = None
    schema_name: str | None = None
    entity_set_name: str | None = None
    logical_collection_name: str | None = None
    display_name: Label | None = None
    display_collection_name: Label | None = None
    description: Label | None = None
    primary_id_attribute: str | None = None
    primary_name_attribute: str | None = None
    ownership_type: str | None = None
    table_type: str | None = None
    change_tracking_enabled: bool | None = None
    is_custom_entity: bool | None = None
    is_private: bool | None = None
    data_provider_id: str | None = None
    attributes: list[AttributeMetadata] | None = None

    def to_definition(self) -> TableDefinition:
        """Convert the table."""
        return TableDefinition(
            name=self.logical_name,
            schema_name=self.schema_name or "",
            entity_set=self.entity_set_name or "",
            collection_name=self.logical_collection_name or "",
            id=self.metadata_id or "",
            display_name=_texts(self.display_name),
            display_collection_name=_texts(self.display_collection_name),
            description=_texts(self.description),
            primary_id=self.primary_id_attribute or "",
            primary_name=self.primary_name_attribute,
            ownership=self.ownership_type,
            table_type=self.table_type,
            tracked=bool(self.change_tracking_enabled),
            custom=bool(self.is_custom_entity),
            private=bool(self.is_private),
            provider=self.data_provider_id,
            columns=tuple(each.to_definition() for each in self.attributes or ()),
        )


class EntityDefinitions(msgspec.Struct):
    """A response of `EntityDefinitions`."""

    value: list[EntityMetadata]


class Attributes(msgspec.Struct):
    """A response of a table's `Attributes`, cast to one kind."""

    value: list[AttributeMetadata]


class GuidCollection(_Answer):
    """Ids."""

    items: list[str] | None = None


class DeletedMetadata(_Answer):
    """The ids of deleted tables and columns, by kind."""

    keys: list[str] | None = None
    values: list[GuidCollection | None] | None = None


class MetadataChanges(_Answer):
    """A response of `RetrieveMetadataChanges`."""

    server_version_stamp: str | None = None
    deleted_metadata: DeletedMetadata | None = None
    entity_metadata: list[EntityMetadata] | None = None


def _texts(label: Label | None) -> Texts:
    return NO_TEXTS if label is None else label.texts()


def _value(name: Name | None) -> str | None:
    return None if name is None else name.value
