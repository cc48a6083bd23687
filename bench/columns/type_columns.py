"""Columns of every type, as a client sends them, with made-up values.

**Owns** the table of types that are measured, and requests of each. **Does not own** what is
measured (`bench.columns.types`).

Whole numbers are not negative, texts and JSON are as long as people's, vectors have 768 dimensions:
values that cost what they usually cost. A request holds as many columns of one type as make the
share of the int64 key small.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from headrace.model.schema import DataType, Field, Schema
from headrace.proxy.milvus import pb, schema_pb

NAME = "bench"
DIM = 768
PAIRS = 128  # of a sparse vector
ELEMENTS = 32  # of an array
TEXT_BYTES = 96
JSON_BYTES = 128
_WORDS = "the water comes down a channel to the mill and turns its wheel at every hour of the day"
_SMALL = "a value costs about 10 ns whatever its size, and a GB has many of them"
_NUMBERS: Mapping[DataType, tuple[str, Any]] = {
    DataType.BOOL: ("bool_data", np.bool_),
    DataType.INT8: ("int_data", np.int8),
    DataType.INT16: ("int_data", np.int16),
    DataType.INT32: ("int_data", np.int32),
    DataType.INT64: ("long_data", np.int64),
    DataType.FLOAT: ("float_data", np.float32),
    DataType.DOUBLE: ("double_data", np.float64),
}
_VECTORS: Mapping[DataType, tuple[str, float]] = {  # where they are sent, bytes of a dimension
    DataType.FLOAT_VECTOR: ("float_vector", 4),
    DataType.FLOAT16_VECTOR: ("float16_vector", 2),
    DataType.BFLOAT16_VECTOR: ("bfloat16_vector", 2),
    DataType.INT8_VECTOR: ("int8_vector", 1),
    DataType.BINARY_VECTOR: ("binary_vector", 1 / 8),
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A type that is measured. `row_bytes` = of one value in memory, of a bool a byte; `columns` =
    of a request; `reason` = why it may cost more than ten times as much as a float vector."""

    type: DataType
    row_bytes: int
    columns: int
    element: DataType = DataType.NONE
    reason: str = ""

    @property
    def name(self) -> str:
        """In words."""
        name = self.type.name.lower().replace("_", " ")
        return f"{name} of {self.element.name.lower()}" if self.element else name

    @property
    def schema(self) -> Schema:
        """An int64 key and the columns."""
        fields = [Field(id=100, name="id", type=DataType.INT64, primary=True)]
        for n in range(self.columns):
            fields.append(
                Field(
                    id=101 + n,
                    name=f"c{n}",
                    type=self.type,
                    dim=DIM if self.type in _VECTORS else 0,
                    element_type=self.element,
                    max_length=1000,
                    max_capacity=ELEMENTS,
                )
            )
        return Schema(fields=tuple(fields))

    def size_bytes(self, rows: int) -> int:
        """Of so many rows, the key included."""
        return rows * (8 + self.columns * self.row_bytes)


KINDS = (
    Kind(DataType.FLOAT_VECTOR, 4 * DIM, 1),
    Kind(DataType.FLOAT16_VECTOR, 2 * DIM, 1),
    Kind(DataType.BFLOAT16_VECTOR, 2 * DIM, 1),
    Kind(DataType.INT8_VECTOR, DIM, 1),
    Kind(DataType.BINARY_VECTOR, DIM // 8, 4),
    Kind(
        DataType.SPARSE_FLOAT_VECTOR,
        8 * PAIRS,
        1,
        reason="every row is bytes of its own in the protocol, and its pairs become two lists",
    ),
    Kind(DataType.BOOL, 1, 48, reason=_SMALL),
    Kind(DataType.INT8, 1, 48, reason=_SMALL),
    Kind(DataType.INT16, 2, 48, reason=_SMALL),
    Kind(DataType.INT32, 4, 32),
    Kind(DataType.INT64, 8, 16),
    Kind(DataType.FLOAT, 4, 32),
    Kind(DataType.DOUBLE, 8, 16),
    Kind(DataType.VARCHAR, TEXT_BYTES, 4),
    Kind(
        DataType.JSON,
        JSON_BYTES,
        4,
        reason="every text is parsed to refuse what is no JSON, and compressed in the file",
    ),
    *(
        Kind(
            DataType.ARRAY,
            ELEMENTS * np.dtype(_NUMBERS[element][1]).itemsize,
            columns,
            element,
            reason="every row is a message in the protocol, and PyArrow writes the lists",
        )
        for element, columns in ((DataType.INT64, 2), (DataType.FLOAT, 4))
    ),
)


def request_of(kind: Kind, rows: int) -> bytes:
    """An encoded Insert."""
    chance = np.random.default_rng(0)
    message = pb.InsertRequest(collection_name=NAME, num_rows=rows)
    key = message.fields_data.add(field_name="id", type=schema_pb.Int64)
    key.scalars.long_data.data.extend(range(rows))
    fill = _fill_of(kind)
    for n in range(kind.columns):
        column = message.fields_data.add(field_name=f"c{n}", type=int(kind.type))
        fill(column, rows, chance)
    return bytes(message.SerializeToString())


def _fill_of(kind: Kind) -> Callable[[Any, int, np.random.Generator], None]:
    if kind.type in _VECTORS:
        return _dense
    return {
        DataType.SPARSE_FLOAT_VECTOR: _sparse,
        DataType.ARRAY: lambda c, rows, chance: _arrays(c, kind.element, rows, chance),
        DataType.VARCHAR: _texts,
        DataType.JSON: _json,
    }.get(kind.type, _scalars)


def _numbers(kind: DataType, count: int, chance: np.random.Generator) -> Any:
    number = np.dtype(_NUMBERS[kind][1])
    if number.kind == "f":
        return chance.standard_normal(count).astype(number)
    most = 2 if number.kind == "b" else np.iinfo(number).max
    return chance.integers(0, most, count).astype(number)


def _scalars(column: Any, rows: int, chance: np.random.Generator) -> None:
    member = getattr(column.scalars, _NUMBERS[DataType(column.type)][0])
    member.data.extend(_numbers(DataType(column.type), rows, chance))


def _texts(column: Any, rows: int, chance: np.random.Generator) -> None:
    for start in chance.integers(0, len(_WORDS), rows):
        text = f"{start} {_WORDS[start:]} {_WORDS}"
        column.scalars.string_data.data.append(text[: TEXT_BYTES - 4])


def _json(column: Any, rows: int, chance: np.random.Generator) -> None:
    for n in chance.integers(10**8, 10**9, rows):
        value = {"user": int(n), "tags": ["a", "b", "c"], "score": int(n) / 1000, "note": ""}
        value["note"] = _WORDS[: JSON_BYTES - 4 - len(json.dumps(value))]
        column.scalars.json_data.data.append(json.dumps(value).encode())


def _arrays(column: Any, element: DataType, rows: int, chance: np.random.Generator) -> None:
    array = column.scalars.array_data
    array.element_type = int(element)
    numbers = _numbers(element, rows * ELEMENTS, chance).reshape(rows, ELEMENTS)
    for row in numbers:
        getattr(array.data.add(), _NUMBERS[element][0]).data.extend(row)


def _dense(column: Any, rows: int, chance: np.random.Generator) -> None:
    member, dimension_bytes = _VECTORS[DataType(column.type)]
    column.vectors.dim = DIM
    floats = chance.standard_normal(rows * DIM, np.float32)
    if member == "float_vector":
        column.vectors.float_vector.data.extend(floats)
    elif member == "float16_vector":
        column.vectors.float16_vector = floats.astype(np.float16).tobytes()
    elif member == "bfloat16_vector":
        column.vectors.bfloat16_vector = (floats.view(np.uint32) >> 16).astype(np.uint16).tobytes()
    else:
        setattr(column.vectors, member, chance.bytes(int(rows * DIM * dimension_bytes)))


def _sparse(column: Any, rows: int, chance: np.random.Generator) -> None:
    pairs = np.zeros((rows, PAIRS), np.dtype([("index", "<u4"), ("value", "<f4")]))
    pairs["index"] = np.cumsum(chance.integers(1, 400, (rows, PAIRS)), axis=1)
    pairs["value"] = chance.random((rows, PAIRS), np.float32)
    column.vectors.sparse_float_vector.contents.extend(row.tobytes() for row in pairs)
