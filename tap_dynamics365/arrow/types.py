"""Arrow types: the type of each column of a table, and how its values are written in JSON.

    column = arrow_column("revenue", Column("revenue", Primitive("Edm.Decimal")), definition)
    column.type    # decimal128(38, 10)

No type loses a digit. A value that does not fit into its type is an error, see `values`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

import pyarrow as pa

from tap_dynamics365.odata.edm import Collection, Complex, Enumeration, Primitive

if TYPE_CHECKING:
    from tap_dynamics365.odata.edm import Column, EdmType
    from tap_dynamics365.services.table_definition import ColumnDefinition

#: The most digits of a decimal number in Arrow.
PRECISION = 38
# Dataverse sends entered money with 4 decimal places and computed money with 10, such as rollups,
# whatever it declares.
LEAST_SCALE = 10
# Places where nothing is declared: Business Central stores decimal(38, 20), Finance & Operations at
# most numeric(32, 16), and Dataverse 15 digits and 12 places.
UNDECLARED_SCALE = 20

#: A point in time.
MOMENT = pa.timestamp("us", tz="UTC")
#: A date with a time that is the same in all time zones.
LOCAL_MOMENT = pa.timestamp("us")
DAY = pa.date32()


class Form(Enum):
    """How the values of a column are written in JSON.

    Attributes:
        PLAIN: As Arrow reads them.
        DATE: As text that is cast.
        BASE64: As text that is decoded.
        ANY: As any JSON, which becomes its text.
    """

    PLAIN = auto()
    DATE = auto()
    BASE64 = auto()
    ANY = auto()


@dataclass(frozen=True)
class ArrowColumn:
    """A column of a record batch.

    Attributes:
        name: The name.
        wire: The name in rows, which differs for an annotation of another column.
        type: The type.
        form: How values are written in JSON.
        is_nullable: Whether values may be null.
        description: The description; empty if there is none.
    """

    name: str
    wire: str
    type: pa.DataType
    form: Form = Form.PLAIN
    is_nullable: bool = True
    description: str = ""

    @property
    def read_as(self) -> pa.DataType:
        """The type in which Arrow reads the JSON.

        Its reader does not notice if a decimal number overflows 128 bits, but returns another
        number. 256 bits hold any number of 38 digits with any scale.
        """
        if self.form is not Form.PLAIN:
            return pa.string()
        is_decimal = pa.types.is_decimal(self.type)
        return pa.decimal256(PRECISION, self.type.scale) if is_decimal else self.type

    @property
    def field(self) -> pa.Field:
        """The field of the schema. The description is where Delta and Spark look for it."""
        metadata = {"comment": self.description} if self.description else None
        return pa.field(self.name, self.type, nullable=self.is_nullable, metadata=metadata)


_PRIMITIVES: dict[str, tuple[pa.DataType, Form]] = {
    "Edm.Binary": (pa.binary(), Form.BASE64),
    "Edm.Boolean": (pa.bool_(), Form.PLAIN),
    "Edm.Byte": (pa.int32(), Form.PLAIN),
    "Edm.Date": (DAY, Form.DATE),
    "Edm.DateTimeOffset": (MOMENT, Form.DATE),
    "Edm.Double": (pa.float64(), Form.PLAIN),
    "Edm.Duration": (pa.string(), Form.PLAIN),
    "Edm.Guid": (pa.string(), Form.PLAIN),
    "Edm.Int16": (pa.int32(), Form.PLAIN),
    "Edm.Int32": (pa.int32(), Form.PLAIN),
    "Edm.Int64": (pa.int64(), Form.PLAIN),
    "Edm.SByte": (pa.int32(), Form.PLAIN),
    "Edm.Single": (pa.float64(), Form.PLAIN),
    "Edm.String": (pa.string(), Form.PLAIN),
    "Edm.TimeOfDay": (pa.string(), Form.PLAIN),
}
# Dates of Dataverse that are not points in time, by their behavior.
_BEHAVIORS = {"DateOnly": DAY, "TimeZoneIndependent": LOCAL_MOMENT}


def arrow_type(
    column: Column, definition: ColumnDefinition | None = None
) -> tuple[pa.DataType, Form]:
    """Return the type of a column, and how its values are written.

    Args:
        column: The column.
        definition: Its definition; None if the service has none.
    """
    kind: EdmType = column.type
    match kind:
        case Complex() | Collection():
            return pa.string(), Form.ANY
        case Enumeration():
            return pa.string(), Form.PLAIN
        case Primitive("Edm.Decimal"):
            return pa.decimal128(PRECISION, _scale(column, definition)), Form.PLAIN
        case Primitive("Edm.DateTimeOffset") if definition is not None:
            return _BEHAVIORS.get(definition.behavior or "", MOMENT), Form.DATE
        case Primitive(name):
            return _PRIMITIVES.get(name, (pa.string(), Form.PLAIN))


def _scale(column: Column, definition: ColumnDefinition | None) -> int:
    """Return the number of decimal places of a decimal column."""
    declared = definition.precision if definition is not None else None
    declared = column.scale if declared is None else declared
    return UNDECLARED_SCALE if declared is None else min(max(declared, LEAST_SCALE), PRECISION)
