"""The table of types that clients write: each column, its values and how Arrow must show them.

**Owns** every type in every shape that is served (plain, nullable, with a default, both), the rows
of made values, and the comparison of columns bit by bit. **Does not own** clusters or clients.

What is expected is told from the values alone, without the system's code, so that a mistake in a
type's place in Arrow is seen as well.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pymilvus import DataType

DIM = 16
FLOAT32_MAX = 3.4028234663852886e38
ROWS = 24  # in one insert; a multiple of 6, so that every value meets every absence
ARROW = {
    DataType.BOOL: pa.bool_(),
    DataType.INT8: pa.int8(),
    DataType.INT16: pa.int16(),
    DataType.INT32: pa.int32(),
    DataType.INT64: pa.int64(),
    DataType.FLOAT: pa.float32(),
    DataType.DOUBLE: pa.float64(),
    DataType.VARCHAR: pa.string(),
    DataType.JSON: pa.string(),
}
VALUES: dict[DataType, list[Any]] = {
    DataType.BOOL: [True, False],
    DataType.INT8: [-128, 127, 0],
    DataType.INT16: [-(2**15), 2**15 - 1, 1],
    DataType.INT32: [-(2**31), 2**31 - 1, -1],
    DataType.INT64: [-(2**63), 2**63 - 1, 2**53 + 1],
    DataType.FLOAT: [0.1, -0.0, FLOAT32_MAX, 2.0**-149],
    DataType.DOUBLE: [0.1, -0.0, 1.7976931348623157e308, 5e-324],
    DataType.VARCHAR: ["", "plain", "Straße 東京 🜨", "x" * 200, 'a"b\\c\n'],
    DataType.JSON: [{"a": [1, 2.5, None]}, {}, [1, "ü"], {"deep": {"er": {"est": True}}}],
}
DEFAULTS: dict[DataType, Any] = {
    DataType.BOOL: True,
    DataType.INT8: -7,
    DataType.INT16: 700,
    DataType.INT32: -70_000,
    DataType.INT64: 2**40,
    DataType.FLOAT: 0.25,
    DataType.DOUBLE: 0.1,
    DataType.VARCHAR: "it's the default",
}
DENSE = {
    DataType.FLOAT_VECTOR: np.dtype(np.float32),
    DataType.FLOAT16_VECTOR: np.dtype(np.float16),
    DataType.BFLOAT16_VECTOR: np.dtype(np.uint16),
    DataType.INT8_VECTOR: np.dtype(np.int8),
    DataType.BINARY_VECTOR: np.dtype(np.uint8),
}
NUMBER = "number"  # the column by which rows are found again, whatever their keys


@dataclass(frozen=True)
class Column:
    """One field of a schema, named by its type and shape."""

    name: str
    type: DataType
    element: DataType = DataType.NONE
    nullable: bool = False
    default: Any = None

    def flags(self) -> dict[str, Any]:
        """What `add_field` and `FieldSchema` take beside name and type."""
        made: dict[str, Any] = {}
        if self.type in DENSE:
            made["dim"] = DIM
        if self.type is DataType.ARRAY:
            made |= {"element_type": self.element, "max_capacity": 8}
        if DataType.VARCHAR in (self.type, self.element):
            made["max_length"] = 1000
        if self.nullable:
            made["nullable"] = True
        if self.default is not None:
            made["default_value"] = self.default
        return made

    @property
    def may_lack(self) -> bool:
        """Whether a row may come without a value."""
        return self.nullable or self.default is not None

    def value(self, number: int) -> Any:
        """The value of a row, as a client gives it."""
        if self.type in DENSE:
            return _vector(self.type, number)
        if self.type is DataType.SPARSE_FLOAT_VECTOR:
            pairs = range(number % 4)
            return {2**32 - 2 - 7 * n: (number + n) / 8 - 1 for n in reversed(pairs)}
        if self.type is DataType.ARRAY:
            values = VALUES[self.element]
            return [values[(number + n) % len(values)] for n in range(number % 5)]
        values = VALUES[self.type]
        return values[number % len(values)]

    def expected(self, rows: Sequence[dict[str, Any]]) -> pa.Array:
        """What the reader must show of the rows."""
        values = [row.get(self.name) for row in rows]
        values = [self.default if value is None else value for value in values]
        if self.type in DENSE:
            kind = DENSE[self.type]
            width = DIM // 8 if self.type is DataType.BINARY_VECTOR else DIM
            raw = b"".join(v if isinstance(v, bytes) else v.tobytes() for v in values)
            return pa.FixedSizeListArray.from_arrays(pa.array(np.frombuffer(raw, kind)), width)
        if self.type is DataType.SPARSE_FLOAT_VECTOR:
            pairs = [{"indices": sorted(v), "values": [v[i] for i in sorted(v)]} for v in values]
            lists = [("indices", pa.list_(pa.uint32())), ("values", pa.list_(pa.float32()))]
            return pa.array(pairs, pa.struct(lists))
        if self.type is DataType.JSON:
            texts = [None if v is None else orjson.dumps(v).decode() for v in values]
            return pa.array(texts, pa.string())
        if self.type is DataType.ARRAY:
            return pa.array(values, pa.list_(ARROW[self.element]))
        return pa.array(values, ARROW[self.type])


def _vector(kind: DataType, number: int) -> Any:
    """Any finite numbers, their bits drawn one by one; as pymilvus takes this kind."""
    chance = np.random.default_rng([int(kind), number])
    if kind is DataType.BINARY_VECTOR:
        return chance.bytes(DIM // 8)
    if kind is DataType.INT8_VECTOR:
        return chance.integers(-128, 128, DIM, np.int8)
    if kind is DataType.FLOAT_VECTOR:
        bits = chance.integers(0, 2**32, DIM, np.uint32)
        bits[bits & 0x7F800000 == 0x7F800000] = 0x80000000  # minus zero
        return bits.view(np.float32)
    bits = chance.integers(0, 2**16, DIM, np.uint16)
    exponent = 0x7C00 if kind is DataType.FLOAT16_VECTOR else 0x7F80
    bits[bits & exponent == exponent] = 1  # the smallest there is
    return bits.view(np.float16) if kind is DataType.FLOAT16_VECTOR else bits.tobytes()


def columns() -> list[Column]:
    """Every type in every shape: 57 columns."""
    made = [Column(NUMBER, DataType.INT64)]
    for kind in VALUES:
        shapes = [(False, False), (True, False)]
        shapes += [(False, True), (True, True)] if kind in DEFAULTS else []
        for nullable, default in shapes:
            name = kind.name + "_nullable" * nullable + "_default" * default
            made.append(
                Column(name, kind, nullable=nullable, default=DEFAULTS[kind] if default else None)
            )
    for element in DEFAULTS:
        for nullable in (False, True):
            name = f"ARRAY_{element.name}" + "_nullable" * nullable
            made.append(Column(name, DataType.ARRAY, element, nullable=nullable))
    return made + [Column(k.name, k) for k in (*DENSE, DataType.SPARSE_FLOAT_VECTOR)]


def rows_of(
    table: Sequence[Column], first: int, *, key: DataType | None, dynamic: bool, sparing: bool
) -> list[dict[str, Any]]:
    """Rows from a number on. `key`: the type of the key, None where it is made. With `sparing` no
    row has any value that it may lack; else every third lacks it and every third has a None."""
    rows = []
    for number in range(first, first + ROWS):
        row: dict[str, Any] = {} if key is None else {"id": key_of(key, number)}
        for column in table:
            if column.name == NUMBER:
                row[NUMBER] = number
            elif not column.may_lack:
                row[column.name] = column.value(number)
            elif not sparing and number % 3 != 2:
                row[column.name] = None if number % 3 == 1 else column.value(number)
        if dynamic:
            row |= {"extra": number, "more": {"deep": [number, None, "ü"]}} if number % 2 else {}
        rows.append(row)
    return rows


def key_of(kind: DataType, number: int) -> int | str:
    """The key of a row."""
    return number - 10 if kind is DataType.INT64 else f"key {number} ü"


# ---- comparison ---------------------------------------------------------------------------------


def differences(found: pa.Table, table: Sequence[Column], rows: Sequence[dict[str, Any]]) -> str:
    """The names of the columns of `found` that are not the rows', bit by bit; "" = none.

    Both are put into the order of the numbers. Types of tools that differ in name only (large,
    views, unsigned) count as equal, and 16-bit floats as the floats of their value.
    """
    ordered = sorted(rows, key=lambda row: row[NUMBER])
    found = found.sort_by(NUMBER)
    if found[NUMBER].to_pylist() != [row[NUMBER] for row in ordered]:
        return f"rows {found[NUMBER].to_pylist()}"
    wrong = []
    for column in table:
        expected = column.expected(ordered)
        shown = found[column.name].combine_chunks()
        wide = _leaf_type(shown.type) == pa.float32()
        if column.type is DataType.FLOAT16_VECTOR and wide:
            expected = expected.cast(pa.list_(pa.float32(), DIM))
        if column.type is DataType.BFLOAT16_VECTOR and wide:
            bits = expected.flatten().to_numpy().astype(np.uint32) << 16
            expected = pa.FixedSizeListArray.from_arrays(pa.array(bits.view(np.float32)), DIM)
        if list(leaves(shown)) != list(leaves(expected)):
            wrong.append(column.name)
    return ", ".join(wrong)


def _leaf_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if hasattr(kind, "value_type") else kind


def leaves(array: pa.Array) -> Iterator[Any]:
    """What a column holds, whatever Arrow's type around it: which values there are, how long the
    lists are, and the values, floats by their bits."""
    kind = array.type
    yield array.is_valid().to_pylist()
    if pa.types.is_struct(kind):
        for part in array.flatten():
            yield from leaves(part)
    elif _is_list(kind):
        yield pc.list_value_length(array).to_pylist()
        yield from leaves(pc.list_flatten(array))
    elif pa.types.is_floating(kind):
        yield pc.drop_null(array).to_numpy(zero_copy_only=False).tobytes()
    else:
        yield array.to_pylist()


def _is_list(kind: pa.DataType) -> bool:
    tests = (
        pa.types.is_list,
        pa.types.is_large_list,
        pa.types.is_fixed_size_list,
        pa.types.is_list_view,
        pa.types.is_large_list_view,
    )
    return any(test(kind) for test in tests)
