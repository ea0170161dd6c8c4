"""Arrow: tables of Dynamics 365 as Arrow record batches, without Singer messages.

    from tap_dynamics365.arrow import ArrowSource, TableRequest

    with ArrowSource({"service_url": url, "refresh_token": token}) as source:
        names = [described.table.name for described in source.tables("acc*")]
        schema = source.schema("account", columns=["accountid", "name", "revenue"])

        # One table. The state is that of the tap.
        reading = source.read("account", filter="statecode eq 0", state=state)
        for batch in reading:                # pyarrow.RecordBatch, one for each page
            write(batch)                     # its schema is reading.schema
            save(reading.state)              # covers exactly the batches that were handed out
        if reading.replaces_table:           # all rows came: others of the table were deleted
            drop_rows_before(reading.version)

        # Several tables side by side.
        with source.read_tables([TableRequest("account"), "contact"], state) as readings:
            for table, batch in readings:
                write(table, batch)

        # One table in several processes.
        for partition in source.partitions("account", 8):    # each one can be pickled
            run(lambda: [*ArrowSource(settings).read_partition(partition)])

`source` has `ArrowSource`, `request` what a user asks for, `reading` what a consumer gets. The
extra `arrow` installs pyarrow.
"""

from __future__ import annotations

try:
    import pyarrow as pa  # noqa: F401 - to say what is missing
except ImportError as error:
    msg = 'Arrow needs the extra arrow: install "tap-dynamics365[arrow]".'
    raise ImportError(msg) from error

from tap_dynamics365.arrow.partitions import Partition
from tap_dynamics365.arrow.reading import PartitionReading, Reading, Readings, TableReading
from tap_dynamics365.arrow.request import TableRequest
from tap_dynamics365.arrow.source import ArrowSource
from tap_dynamics365.extract.tally import Outcome
from tap_dynamics365.services.describe import Described

__all__ = [
    "ArrowSource",
    "Described",
    "Outcome",
    "Partition",
    "PartitionReading",
    "Reading",
    "Readings",
    "TableReading",
    "TableRequest",
]
