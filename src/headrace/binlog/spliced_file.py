"""A Parquet file whose vectors are not copied: PyArrow's scalars, our pages, one footer over both.

**Owns** the footer. **Does not own** pages of vectors (`binlog.vector_pages`), which columns and
settings there are, or when a file is made in this way (`binlog.insert_log`). Source: Apache
Parquet's format, `parquet.thrift`.

PyArrow writes the scalar columns as a file of its own, which becomes the beginning of ours as it
is, so every offset in it stays right; the vectors follow. The schema, Arrow's schema and all else
that a footer says come from a file without rows that PyArrow makes of the whole schema. Why:
PyArrow copies and checks every float of a list column, at four times the cost of writing it to
disk, and needs the memory twice.
"""

import struct
from collections.abc import Callable
from itertools import islice

import pyarrow as pa

from headrace.binlog import compact, vector_pages
from headrace.model.entry import Body
from headrace.model.errors import Corrupt

MAGIC = b"PAR1"
_TAIL = struct.Struct("<I4s")

# Fields of `parquet.thrift`.
_FILE_ROWS, _FILE_ROW_GROUPS = 3, 4
_GROUP_COLUMNS, _GROUP_BYTES, _GROUP_ROWS = 1, 2, 3
_GROUP_START, _GROUP_COMPRESSED_BYTES, _GROUP_NUMBER = 5, 6, 7

Write = Callable[[pa.Table], Body]


def can_be_spliced(table: pa.Table) -> bool:
    """Whether there are vectors, and all of them are whole."""
    vectors = [c for c in table.columns if _is_vector(c)]
    return bool(vectors) and all(map(vector_pages.can_be_made, vectors))


def parts_of(table: pa.Table, write: Write) -> tuple[Body, ...]:
    """The file of a table that `can_be_spliced`, to be written one part after the other.

    The table has scalars beside its vectors. `write` makes a whole file of a table with PyArrow, in
    one row group, without page indexes. The parts are views of the table's buffers, which they keep
    alive.
    """
    vectors = {n: c for n, c in enumerate(table.columns) if _is_vector(c)}
    scalars = table.select([n for n in range(table.num_columns) if n not in vectors])
    written = memoryview(write(scalars)).cast("B")
    group = _only_row_group(written)
    theirs = iter(compact.items_of(group[_GROUP_COLUMNS]))
    place = len(written) - _footer_bytes(written)
    parts: list[Body] = [written[:place]]
    size_bytes = compact.number_of(group[_GROUP_BYTES])
    compressed_bytes = compact.number_of(group[_GROUP_COMPRESSED_BYTES])
    columns: list[compact.Value] = []
    for number, column_field in enumerate(table.schema):
        if number not in vectors:
            columns += islice(theirs, _leaf_count(column_field.type))
            continue
        chunk = vector_pages.make(vectors[number], nullable=column_field.nullable)
        columns.append(chunk.described(column_field.name, place))
        parts += chunk.parts
        place += chunk.size_bytes
        size_bytes += chunk.size_bytes
        compressed_bytes += chunk.size_bytes
    footer = _fields_of_footer(memoryview(write(table.schema.empty_table())).cast("B"))
    footer[_FILE_ROWS] = compact.i64(table.num_rows)
    footer[_FILE_ROW_GROUPS] = compact.listed(
        [
            compact.struct(
                {
                    _GROUP_COLUMNS: compact.listed(columns),
                    _GROUP_BYTES: compact.i64(size_bytes),
                    _GROUP_ROWS: compact.i64(table.num_rows),
                    _GROUP_START: compact.i64(len(MAGIC)),
                    _GROUP_COMPRESSED_BYTES: compact.i64(compressed_bytes),
                    _GROUP_NUMBER: compact.Value(compact.Kind.I16, b"\0"),
                }
            )
        ]
    )
    end = compact.struct(footer).data
    return (*parts, end + _TAIL.pack(len(end), MAGIC))


def view_bytes(table: pa.Table) -> int:
    """How many bytes of the file are views of the table's buffers."""
    vectors = [c for c in table.columns if _is_vector(c)]
    return sum(len(c) * c.type.list_size * vector_pages.FLOAT_BYTES for c in vectors)


def _is_vector(column: pa.ChunkedArray) -> bool:
    kind = column.type
    return bool(pa.types.is_fixed_size_list(kind)) and bool(pa.types.is_float32(kind.value_type))


def _leaf_count(kind: pa.DataType) -> int:
    """How many column chunks a column of that type has in Parquet."""
    if pa.types.is_struct(kind):
        return sum(_leaf_count(member.type) for member in kind)
    return 1


def _only_row_group(file: memoryview) -> dict[int, compact.Value]:
    groups = compact.items_of(_fields_of_footer(file)[_FILE_ROW_GROUPS])
    assert len(groups) == 1, f"{len(groups)} row groups"
    return compact.fields_of(groups[0].data)


def _fields_of_footer(file: memoryview) -> dict[int, compact.Value]:
    end = len(file) - _TAIL.size
    return compact.fields_of(bytes(file[len(file) - _footer_bytes(file) : end]))


def _footer_bytes(file: memoryview) -> int:
    """Of a file's footer with the tail behind it."""
    length, magic = _TAIL.unpack_from(file, len(file) - _TAIL.size)
    if magic != MAGIC:
        raise Corrupt("no Parquet file")
    return int(length) + _TAIL.size
