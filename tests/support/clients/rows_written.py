"""Rows as a client wrote them, compared with what the files hold, value by value.

**Owns** what a client's value (a list, bytes, a numpy array, an object) must look like in a column
of each type. **Does not own** reading the files (`headrace.reader`).
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from headrace.model.schema import DYNAMIC_FIELD

OWN = ("_row_id", "_timestamp")


def as_written(found: pa.Table, rows: Sequence[dict[str, Any]]) -> list[str]:
    """What differs, in words; nothing when each row is there once and equal, and no other is.

    Rows are matched by the first column that every row names, the key.
    """
    columns = [name for name in found.column_names if name not in (*OWN, DYNAMIC_FIELD)]
    key = next(name for name in columns if all(name in row for row in rows))
    stored = {row[key]: row for row in found.to_pylist()}
    wanted = {_plain(row[key]): row for row in rows}
    troubles = [f"{key} {value!r} is lost" for value in wanted if value not in stored]
    troubles += [f"{key} {value!r} should not be there" for value in stored if value not in wanted]
    if found.num_rows != len(stored) or len(wanted) != len(rows):
        troubles.append(f"{found.num_rows} rows are stored, {len(rows)} are wanted")
    for value in wanted.keys() & stored.keys():
        troubles += [
            f"{key} {value!r}: {name} is {got!r}, not {want!r}"
            for name, got, want in _pairs(found, columns, stored[value], wanted[value])
            if got != want
        ]
    return troubles


def _pairs(
    found: pa.Table, columns: Sequence[str], stored: dict[str, Any], wanted: dict[str, Any]
) -> list[tuple[str, Any, Any]]:
    pairs = []
    for name in columns:
        kind = found.schema.field(name).type
        got, want = _stored(stored[name], kind), _written(wanted.get(name), kind, stored[name])
        pairs.append((name, got, want))
    if DYNAMIC_FIELD in found.column_names:
        others = {n: _plain(v) for n, v in wanted.items() if n not in columns}
        pairs.append((DYNAMIC_FIELD, json.loads(stored[DYNAMIC_FIELD] or "{}"), others))
    return pairs


def _stored(value: Any, kind: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_fixed_size_list(kind):
        return np.array(value, kind.value_type.to_pandas_dtype()).tobytes()
    if pa.types.is_struct(kind):
        return dict(zip(value["indices"], value["values"], strict=True))
    return value


def _written(value: Any, kind: pa.DataType, stored: Any) -> Any:
    if value is None:
        return None
    if pa.types.is_fixed_size_list(kind):
        if isinstance(value, bytes):
            return value
        if isinstance(value, np.ndarray):
            return value.tobytes()
        return np.array(value, kind.value_type.to_pandas_dtype()).tobytes()
    if pa.types.is_struct(kind):
        return {int(index): float(np.float32(number)) for index, number in value.items()}
    if pa.types.is_float32(kind):
        return float(np.float32(value))
    if pa.types.is_string(kind) and isinstance(stored, str) and not isinstance(value, str):
        return stored if json.loads(stored) == value else json.dumps(value)  # JSON, however spelt
    return _plain(value)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
