"""The rows of an insert or upsert: from the columns of the request to checked Arrow columns.

Here stands which columns must, may and must not be there, and how nulls, defaults and the dynamic
column are filled in; `columns` checks the values themselves.

Clients send nulls in one of two ways, both served: `valid_data` says which rows have a value, and
the values either hold those alone or one for every row.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headrace.binlog.columns import arrow_type
from headrace.model.schema import DYNAMIC_FIELD, Field, Schema
from headrace.proxy.errors import Refusal
from headrace.proxy.milvus import Message
from headrace.proxy.write.columns import read_dynamic, read_values


@dataclass(frozen=True, slots=True, eq=False)
class CheckedRows:
    """What a write brings, as Arrow columns.

    `columns` are in the order of the schema's fields, None for an automatic key that is to be made;
    a delete has none. `sent` says which columns were in the request: only they decide how it is
    cut, so that a repetition under a later schema is cut in the same way. `keys` are the keys as
    the client gave them, None where it gave none. `replaces`: older rows with these keys go, as in
    an upsert (into automatic keys, too) and a delete.
    """

    schema: Schema
    count: int
    columns: tuple[pa.Array | None, ...]
    sent: tuple[bool, ...]
    keys: pa.Array | None
    replaces: bool


def check_rows(schema: Schema, request: Message, *, upsert: bool) -> CheckedRows:
    """The rows of an InsertRequest or UpsertRequest; `Invalid` naming field and row."""
    rows = int(request.num_rows)
    if rows == 0:
        raise Refusal.ROWS_NONE(at="num_rows")
    given = _by_name(schema, request.fields_data)
    key_made = schema.key.auto_id and not upsert
    columns: list[pa.Array | None] = []
    keys = None
    for field in schema.fields:
        data = given.get(field.name)
        if field.primary and key_made:
            if data is not None:
                raise Refusal.KEY_GIVEN.of(field.name)
            columns.append(None)
            continue
        column = _fill_absent(field, rows) if data is None else _read(schema, field, data, rows)
        if field.primary:
            keys = column
        columns.append(None if field.primary and field.auto_id else column)
    sent = tuple(field.name in given for field in schema.fields)
    return CheckedRows(schema, rows, tuple(columns), sent, keys, replaces=upsert)


def _by_name(schema: Schema, items: Sequence[Message]) -> dict[str, Message]:
    given: dict[str, Message] = {}
    for item in items:
        name = DYNAMIC_FIELD if item.is_dynamic else item.field_name
        field = schema.field(name)
        if field is None or field.dynamic != item.is_dynamic:
            raise Refusal.COLUMN_EXTRA.of(name)
        if name in given:
            raise Refusal.COLUMN_TWICE.of(name)
        if item.field_id not in (0, field.id):
            wanted, got = f"the field with id {field.id}", f"that with id {item.field_id}"
            raise Refusal.COLUMN_TYPE.of(name, wanted=wanted, got=got)
        given[name] = item
    return given


def _fill_absent(field: Field, rows: int) -> pa.Array:
    if field.has_default:
        return pa.repeat(pa.scalar(field.default, arrow_type(field)), rows)
    if field.dynamic:
        return pa.repeat(pa.scalar("{}", pa.string()), rows)
    if field.nullable:
        return pa.nulls(rows, arrow_type(field))
    raise Refusal.COLUMN_MISSING.of(field.name)


def _read(schema: Schema, field: Field, data: Message, rows: int) -> pa.Array:
    valid = _valid(field, data, rows)
    present = None if valid is None else np.flatnonzero(valid)
    here = rows if present is None else len(present)
    if field.dynamic:
        fixed = frozenset(f.name for f in schema.fields)
        values = read_dynamic(field, data, fixed, present)
    else:
        values = read_values(field, data, here, present)
    if valid is None or here == rows:
        return _counted(field, values, rows, 0)
    if len(values) == rows:
        places = np.arange(rows)
    else:
        values = _counted(field, values, rows, rows - here)
        places = np.cumsum(valid) - 1
    column = values.take(pa.array(places, mask=~valid))
    if field.has_default:
        return pc.fill_null(column, pa.scalar(field.default, arrow_type(field)))
    return column


def _counted(field: Field, values: pa.Array, rows: int, nulls: int) -> pa.Array:
    if len(values) != rows - nulls:
        if len(values) < rows and not (field.nullable or field.has_default):
            raise Refusal.COLUMN_SHORT.of(field.name, got=len(values), rows=rows)
        words = f", {nulls} of them null" if nulls else ""
        raise Refusal.ROWS_COUNT.of(field.name, got=len(values), rows=rows, nulls=words)
    return values


def _valid(field: Field, data: Message, rows: int) -> npt.NDArray[np.bool_] | None:
    """Which rows have a value; None = all of them."""
    if not data.valid_data:
        return None
    valid = np.asarray(data.valid_data, dtype=np.bool_)
    if len(valid) != rows:
        raise Refusal.VALID_DATA_COUNT.of(field.name, got=len(valid), rows=rows)
    if valid.all():
        return None
    if not (field.nullable or field.has_default):
        row = int(np.argmin(valid))
        raise Refusal.NOT_NULLABLE.of(field.name, row=row)
    return valid
