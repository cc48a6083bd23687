"""A Parquet file whose vectors are not copied: PyArrow's scalars, our pages, one footer over both.

PyArrow writes the scalar columns as a file of its own, which becomes the beginning of ours, so
every offset in it stays right; the vectors follow. The schema and all else that a footer says come
from a file without rows that PyArrow makes of the whole schema. Only the author is our own. By it a
reader knows that it can take the pages as they are (`was_spliced`): a tool that writes the file
anew puts in its own name. Why: PyArrow copies and checks every number of a list column, at four
times the cost of writing it to disk, and needs the memory twice. Source: Apache Parquet's format,
`parquet.thrift`.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import pyarrow as pa

from headrace.binlog.columns import file_schema
from headrace.binlog.parquet import sparse_pages, thrift, vector_pages
from headrace.binlog.parquet.page_heads import Chunk
from headrace.binlog.parquet.vector_encoding import VECTOR_ENCODINGS
from headrace.model.entry import Body
from headrace.model.errors import Corrupt
from headrace.model.schema import DataType, Field, Schema

MAGIC = b"PAR1"
AUTHOR = "headrace version 1.0.0"  # of the pages; another when they are made otherwise
_TAIL = struct.Struct("<I4s")

# Fields of `parquet.thrift`.
_FILE_ROWS, _FILE_ROW_GROUPS, _FILE_AUTHOR = 3, 4, 6
_GROUP_COLUMNS, _GROUP_BYTES, _GROUP_ROWS = 1, 2, 3
_GROUP_COMPRESSED_BYTES = 6

Write = Callable[[pa.Table], Body]


def was_spliced(author: str) -> bool:
    """Whether the vectors of a file of this author (`created_by`) stand in our pages."""
    return author == AUTHOR


def can_be_spliced(schema: Schema, rows: pa.Table) -> bool:
    """Whether there are vectors in these rows, and all of them are whole."""
    vectors = [f for f in schema.fields if f.type.is_vector]
    return rows.num_rows > 0 and bool(vectors) and all(_is_whole(f, rows) for f in vectors)


def _is_whole(field: Field, rows: pa.Table) -> bool:
    column = rows[field.name]
    if field.type == DataType.SPARSE_FLOAT_VECTOR:
        return sparse_pages.can_be_made(column)
    return vector_pages.can_be_made(column)


def parts_of(schema: Schema, rows: pa.Table, write: Write) -> tuple[tuple[Body, ...], int]:
    """The file of rows that `can_be_spliced`, in parts to be written one after the other, and how
    many of its bytes are views of the rows' buffers, which they keep alive.

    `rows` has the columns of `file_schema`, vectors with memory's types. `write` makes a whole file
    of some of the columns with PyArrow, without page indexes.
    """
    vectors = {f.name: f for f in schema.fields if f.type.is_vector}
    scalars = rows.select([n for n in rows.schema.names if n not in vectors])
    written = memoryview(write(scalars)).cast("B")
    place = len(written) - _footer_bytes(written)
    parts: list[Body] = [written[:place]]
    view_bytes = 0
    groups, first = list[thrift.Value](), 0
    kinds = file_schema(schema)
    for theirs in thrift.items_of(_fields_of_footer(written)[_FILE_ROW_GROUPS]):
        group = thrift.fields_of(theirs.data)
        count = thrift.number_of(group[_GROUP_ROWS])
        scalar_columns = iter(thrift.items_of(group[_GROUP_COLUMNS]))
        columns: list[thrift.Value] = []
        size_bytes = 0
        for column in kinds:
            if column.name not in vectors:
                columns += islice(scalar_columns, 1)
                continue
            taken = rows[column.name].slice(first, count)
            for path, chunk in _made(vectors[column.name], taken, column.nullable):
                columns.append(chunk.described((column.name, *path), place))
                parts += chunk.parts
                place += chunk.size_bytes
                size_bytes += chunk.size_bytes
                view_bytes += chunk.view_bytes
        group[_GROUP_COLUMNS] = thrift.listed(columns)
        for number in (_GROUP_BYTES, _GROUP_COMPRESSED_BYTES):
            group[number] = thrift.i64(thrift.number_of(group[number]) + size_bytes)
        groups.append(thrift.struct(group))
        first += count
    parts.append(_footer(write(kinds.empty_table()), groups, rows.num_rows))
    return tuple(parts), view_bytes


def _made(
    field: Field, column: pa.ChunkedArray, nullable: bool
) -> Iterator[tuple[Sequence[str], Chunk]]:
    """The column chunks of a vector, each with its path below the column's name."""
    if field.type == DataType.SPARSE_FLOAT_VECTOR:
        chunks = sparse_pages.make(column, nullable=nullable)
        for (member, _), chunk in zip(sparse_pages.MEMBERS, chunks, strict=True):
            yield (member, "list", "element"), chunk
    else:
        stored = VECTOR_ENCODINGS[field.type]
        yield ("list", "element"), vector_pages.make(column, stored, nullable=nullable)


def _footer(empty: Body, groups: Sequence[thrift.Value], rows: int) -> bytes:
    footer = _fields_of_footer(memoryview(empty).cast("B"))
    footer[_FILE_ROWS] = thrift.i64(rows)
    footer[_FILE_ROW_GROUPS] = thrift.listed(groups)
    footer[_FILE_AUTHOR] = thrift.text(AUTHOR)
    end = thrift.struct(footer).data
    return end + _TAIL.pack(len(end), MAGIC)


def _fields_of_footer(file: memoryview) -> dict[int, thrift.Value]:
    end = len(file) - _TAIL.size
    return thrift.fields_of(bytes(file[len(file) - _footer_bytes(file) : end]))


def _footer_bytes(file: memoryview) -> int:
    length, magic = _TAIL.unpack_from(file, len(file) - _TAIL.size)
    if magic != MAGIC:
        raise Corrupt("no Parquet file")
    return int(length) + _TAIL.size
