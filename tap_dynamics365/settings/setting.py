"""Setting: the declaration of one setting, and what is derived from it."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal


@dataclass(frozen=True)
class Setting:
    """A setting of the tap.

    Attributes:
        name: Key in the configuration.
        title: Label for user interfaces.
        description: What the setting does, in Markdown.
        driver_property: Connection property of the JDBC driver that the setting mirrors; empty if
            there is none.
        type: JSON type of the value.
        format: Format of a string in JSON Schema; empty if there is none.
        default: Value if the setting is not set, or None.
        without_value: What applies if the setting is not set and has no `default`, for the
            documentation.
        choices: Words that a string is restricted to; empty if it is not restricted.
        ignores_case: Whether `choices` are case-insensitive.
        minimum: Smallest integer.
        maximum: Largest integer.
        is_secret: Whether the value must not appear in logs, messages, and `repr`.
    """

    name: str
    title: str
    description: str
    driver_property: str = ""
    type: Literal["string", "integer", "boolean", "array", "object"] = "string"
    format: Literal["", "uri", "date-time"] = ""
    default: str | int | None = None
    without_value: str = ""
    choices: tuple[str, ...] = ()
    ignores_case: bool = False
    minimum: int | None = None
    maximum: int | None = None
    is_secret: bool = False

    @property
    def json_schema(self) -> dict[str, Any]:
        """The setting in JSON Schema, with the keywords that the Meltano SDK adds.

        Case-insensitive choices are no `enum`: a validator would compare them with case.
        """
        schema: dict[str, Any] = {"type": [self.type, "null"]}
        if self.format:
            schema["format"] = self.format
        if self.type == "array":
            schema["items"] = {"type": ["string"]}
        if self.type == "object":
            schema["additionalProperties"] = {"type": "string"}
        if self.choices and not self.ignores_case:
            schema["enum"] = [str(choice) for choice in self.choices]
        if self.minimum is not None:
            schema["minimum"] = self.minimum
        if self.maximum is not None:
            schema["maximum"] = self.maximum
        schema["title"] = self.title
        if self.default is not None:
            schema["default"] = self.default
        schema["description"] = self.description
        if self.is_secret:
            schema |= {"secret": True, "writeOnly": True}
        return schema

    def choice(self, text: str) -> str | None:
        """Find the choice that a text means.

        Args:
            text: The text.

        Returns:
            The choice in its own spelling, or None if the text is none of the choices.
        """
        same = str.lower if self.ignores_case else str
        return next((each for each in self.choices if same(each) == same(text)), None)

    def convert(self, value: Any) -> Any:  # noqa: ANN401 - the type depends on the setting
        """Convert a checked value to the type that the tap works with.

        Args:
            value: A value that fits `json_schema`, or None.

        Returns:
            An int for an integer such as 5.0, a choice in its own spelling, a tuple for an array, a
            mapping that can't be changed for an object.
        """
        if self.type == "object":
            return MappingProxyType(dict(value or {}))
        if self.type == "array":
            return tuple(value or ())
        if value is None:
            return None
        if self.type == "integer":
            return int(value)
        return self.choice(value) if self.choices else value
