"""Parquet files as a source, a batch of rows at a time.

A file may be larger than memory: row groups are read batch by batch, some megabytes at once.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from headrace.ingest.columns.convert import as_json, plain_type, read_column, takes
from headrace.ingest.columns.made_schema import likely_fields
from headrace.ingest.faults import Faults
from headrace.ingest.sources.source import (
    SAMPLE_ROWS,
    Piece,
    RowSource,
    brings,
    check_names,
    chosen,
    converted,
)
from headrace.model.errors import Invalid
from headrace.model.schema import DYNAMIC_FIELD, Field, Schema

PIECE_BYTES = 8 << 20  # of a piece, as the file's metadata estimates it
PIECE_ROWS_MAX = 1 << 13  # the estimate does not see how often a dictionary's texts are used
READ_BYTES = 1 << 20  # of a column at once


class ParquetSource(RowSource):
    """`columns` names those that are read; None = all."""

    bounded_by_rows = True

    def __init__(self, path: Path, columns: Sequence[str] | None, vectors: Sequence[str]) -> None:
        self.name = str(path)
        self._vectors = vectors
        try:
            # Otherwise whole row groups are held, and a file may be one.
            self._file = pq.ParquetFile(path, pre_buffer=False, buffer_size=READ_BYTES)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
            raise Invalid(f"{path} cannot be read as Parquet: {error}") from error
        self._schema: pa.Schema = self._file.schema_arrow
        self._names = chosen(self.name, self._schema.names, columns)
        self.size: int = self._file.metadata.num_rows

    def fields(self, key: str | None = None) -> Sequence[Field]:
        """From the types of the columns, and from the first rows where they vary."""
        rows = next(self._batches(0, SAMPLE_ROWS), None)
        if rows is None:
            rows = pa.RecordBatch.from_pylist([], self._schema).select(self._names)
        return likely_fields(self.name, lambda _: rows.slice(0, SAMPLE_ROWS), self._vectors)

    def check(self, schema: Schema) -> None:
        check_names(self.name, self._names, schema)
        for name, field in brings(schema).items():
            if name not in self._names:
                continue
            kind = plain_type(self._schema.field(name).type)
            if not takes(field, kind):
                raise Invalid(
                    f"{self.name}: column {name!r} has type {kind}, which does not become "
                    f"{field.type.name}, the type of its field"
                )

    def read(self, schema: Schema, start: int) -> Iterator[Piece]:
        position = start
        for rows in self._batches(start, self._piece_rows()):
            position += rows.num_rows
            yield _piece(schema, rows, position)

    def _batches(self, start: int, count: int) -> Iterator[pa.RecordBatch]:
        meta = self._file.metadata
        first, groups = 0, list[int]()
        for group in range(meta.num_row_groups):
            rows = meta.row_group(group).num_rows
            if not groups and first + rows <= start:
                first += rows
            else:
                groups.append(group)
        skip = start - first
        try:
            for batch in self._file.iter_batches(count, row_groups=groups, columns=self._names):
                if skip < batch.num_rows:
                    yield batch.slice(skip)
                skip = max(0, skip - batch.num_rows)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
            raise Invalid(f"{self.name} cannot be read: {error}") from error

    def _piece_rows(self) -> int:
        meta, wanted, size = self._file.metadata, set(self._names), 0
        for group in range(meta.num_row_groups):
            for index in range(meta.num_columns):
                chunk = meta.row_group(group).column(index)
                if chunk.path_in_schema.split(".")[0] in wanted:
                    size += chunk.total_uncompressed_size
        rows: int = PIECE_BYTES * meta.num_rows // max(1, size)
        return max(1, min(PIECE_ROWS_MAX, rows))


def _piece(schema: Schema, rows: pa.RecordBatch, position: int) -> Piece:
    faults: Faults = {}
    columns, extra = converted(schema, rows, read_column, faults)
    if extra:
        texts = pa.array([as_json(row) for row in rows.select(extra).to_pylist()], pa.string())
        columns[DYNAMIC_FIELD] = texts
    return Piece(rows.num_rows, columns, faults, partial(_original, rows), position)


def _original(rows: pa.RecordBatch, place: int) -> Any:
    return rows.slice(place, 1).to_pylist()[0]
