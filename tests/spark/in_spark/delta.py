"""MERGE of a batch with changes into a Delta table, as docs/spark.md shows it without a JVM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deltalake import DeltaTable, write_deltalake

if TYPE_CHECKING:
    import pyarrow as pa


def merge(batch: pa.Table, target: str, key: str) -> int:
    """Merge a batch into a Delta table.

    Args:
        batch: The batch; deleted rows have `_sdc_deleted_at`.
        target: The path of the table, which is made if it is not there.
        key: The column that identifies a row.

    Returns:
        The rows of the batch.
    """
    if not DeltaTable.is_deltatable(target):
        write_deltalake(target, batch.slice(0, 0))
    on = f"s.{key} = t.{key}"
    merger = DeltaTable(target).merge(batch, on, source_alias="s", target_alias="t")
    if "_sdc_deleted_at" in batch.schema.names:
        merger = merger.when_matched_delete("s._sdc_deleted_at is not null")
        merger = merger.when_matched_update_all()
        merger = merger.when_not_matched_insert_all("s._sdc_deleted_at is null")
    else:
        merger = merger.when_matched_update_all().when_not_matched_insert_all()
    merger.execute()
    return batch.num_rows


def read(target: str) -> pa.Table:
    """Read a Delta table.

    Args:
        target: The path of the table.
    """
    return DeltaTable(target).to_pyarrow_table()
