"""Columns of a request become Arrow columns, or a sentence that names field and row."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from support.world.proxy import insert_request, simple_schema

from headrace.binlog.columns import arrow_schema, arrow_type
from headrace.model.errors import Invalid
from headrace.model.schema import DataType, Schema
from headrace.proxy.collections.schema_check import check_schema
from headrace.proxy.milvus import Message, pb, schema_pb
from headrace.proxy.write.rows_check import CheckedRows, check_rows

KIND = schema_pb.DataType.Value
MEMBERS = {
    "Bool": ("bool_data", [True, False, True]),
    "Int8": ("int_data", [-128, 0, 127]),
    "Int16": ("int_data", [-(2**15), 0, 2**15 - 1]),
    "Int32": ("int_data", [-(2**31), 0, 2**31 - 1]),
    "Int64": ("long_data", [-(2**63), 0, 2**63 - 1]),
    "Float": ("float_data", [1.5, -0.0, 3e38]),
    "Double": ("double_data", [0.1, -0.0, 1e308]),
    "VarChar": ("string_data", ["", "über", "x" * 16]),
    "JSON": ("json_data", [b'{"a": [1, null]}', b'"text"', b"null"]),
}


def schema_of(*fields: dict[str, Any], **more: Any) -> Schema:
    return check_schema(simple_schema(dim=2, fields=fields, **more), fields_max=64)


def field_of(kind: str, **more: Any) -> dict[str, Any]:
    parameters = {"max_length": 16} if kind == "VarChar" else {}
    return {"name": "x", "data_type": kind, "parameters": parameters, **more}


def request_of(rows: int = 3, *, dim: int = 2, upsert: bool = False) -> Message:
    return insert_request("c", list(range(rows)), dim=dim, upsert=upsert)


def add(request: Message, kind: str, values: Any, valid: list[bool] | None = None) -> Message:
    item = request.fields_data.add(field_name="x", type=KIND(kind))
    getattr(item.scalars, MEMBERS[kind][0]).data.extend(values)
    if valid is not None:
        item.valid_data.extend(valid)
    return item


def column(rows: CheckedRows, name: str) -> pa.Array:
    place = [f.name for f in rows.schema.fields].index(name)
    found = rows.columns[place]
    assert found is not None
    return found


def refused(schema: Schema, request: Message, *, upsert: bool = False) -> str:
    with pytest.raises(Invalid) as caught:
        check_rows(schema, request, upsert=upsert)
    return str(caught.value)


def as_stored(kind: str, values: list[Any]) -> list[Any]:
    if kind == "Float":
        return [None if v is None else float(np.float32(v)) for v in values]
    return [v.decode() if isinstance(v, bytes) else v for v in values]


@pytest.mark.parametrize("kind", MEMBERS)
def test_every_served_type_is_kept_bit_for_bit(kind: str) -> None:
    schema = schema_of(field_of(kind))
    request = request_of()
    add(request, kind, MEMBERS[kind][1])
    rows = check_rows(schema, request, upsert=False)
    found = column(rows, "x")
    field = schema.field("x")
    assert field is not None
    assert found.type == arrow_type(field)
    assert found.to_pylist() == as_stored(kind, MEMBERS[kind][1])
    batch = pa.RecordBatch.from_arrays(list(rows.columns), schema=arrow_schema(schema))
    batch.validate(full=True)


@pytest.mark.parametrize("kind", MEMBERS)
@pytest.mark.parametrize("compact", [True, False])
def test_nulls_come_with_the_values_alone_or_with_a_filler_for_each_row(
    kind: str, compact: bool
) -> None:
    schema = schema_of(field_of(kind, nullable=True))
    first, second, third = MEMBERS[kind][1]
    request = request_of()
    add(request, kind, [first, third] if compact else [first, second, third], [True, False, True])
    found = column(check_rows(schema, request, upsert=False), "x")
    assert found.to_pylist() == as_stored(kind, [first, None, third])
    assert found.null_count == 1


@pytest.mark.parametrize("kind", MEMBERS)
def test_a_nullable_column_may_be_all_null_or_absent(kind: str) -> None:
    schema = schema_of(field_of(kind, nullable=True))
    request = request_of()
    add(request, kind, [], [False] * 3)
    assert column(check_rows(schema, request, upsert=False), "x").null_count == 3
    rows = check_rows(schema, request_of(), upsert=False)
    assert column(rows, "x").null_count == 3
    assert rows.sent == (True, True, False)


@pytest.mark.parametrize(
    ("kind", "default"),
    [
        ("Bool", {"bool_data": True}),
        ("Int8", {"int_data": 7}),
        ("Int64", {"long_data": 7}),
        ("Float", {"float_data": 1.5}),
        ("Double", {"double_data": 0.1}),
        ("VarChar", {"string_data": "none"}),
    ],
)
@pytest.mark.parametrize("nullable", [True, False])
def test_a_default_stands_for_nulls_and_for_an_absent_column(
    kind: str, default: dict[str, Any], nullable: bool
) -> None:
    value = schema_pb.ValueField(**default)
    schema = schema_of(field_of(kind, nullable=nullable, default_value=value))
    (wanted,) = default.values()
    request = request_of()
    add(request, kind, MEMBERS[kind][1][:1], [True, False, False])
    found = column(check_rows(schema, request, upsert=False), "x").to_pylist()
    assert found == as_stored(kind, [MEMBERS[kind][1][0], wanted, wanted])
    absent = column(check_rows(schema, request_of(), upsert=False), "x").to_pylist()
    assert absent == [wanted] * 3


def test_vectors_are_not_copied_more_than_once_and_keep_their_bits() -> None:
    numbers = np.array([1e-45, -0.0, 3.4e38, 1, 2, 3], np.float32)
    request = request_of()
    del request.fields_data[1].vectors.float_vector.data[:]
    request.fields_data[1].vectors.float_vector.data.extend(numbers)
    found = column(check_rows(schema_of(), request, upsert=False), "v")
    assert found.type == pa.list_(pa.float32(), 2)
    assert found.flatten().to_numpy().tobytes() == numbers.tobytes()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_nan_and_infinity_are_refused_by_row(bad: float) -> None:
    request = request_of()
    request.fields_data[1].vectors.float_vector.data[5] = bad
    assert "field 'v', row 2" in refused(schema_of(), request)
    for kind in ("Float", "Double"):
        request = request_of()
        add(request, kind, [1.0, bad, 2.0])
        assert "field 'x', row 1" in refused(schema_of(field_of(kind)), request)


def test_vectors_of_another_dim_or_length_are_refused() -> None:
    assert "vectors of dim 2, not 3" in refused(schema_of(), request_of(dim=3))
    request = request_of()
    request.fields_data[1].vectors.float_vector.data.append(1.0)
    assert "7 numbers, but 3 vectors of dim 2 have 6" in refused(schema_of(), request)
    request.fields_data[1].vectors.ClearField("data")
    request.fields_data[1].vectors.binary_vector = b"abc"
    assert "must be FLOAT_VECTOR, not binary_vector" in refused(schema_of(), request)


@pytest.mark.parametrize(("kind", "low", "high"), [("Int8", -129, 128), ("Int16", -32769, 32768)])
def test_numbers_out_of_range_are_refused_by_row(kind: str, low: int, high: int) -> None:
    for bad in (low, high):
        request = request_of()
        add(request, kind, [1, 2, bad])
        assert f"row 2: {bad} does not fit {kind.upper()}" in refused(
            schema_of(field_of(kind)), request
        )


def test_a_text_is_measured_in_bytes() -> None:
    request = request_of()
    add(request, "VarChar", ["", "x" * 16, "ü" * 9])
    text = refused(schema_of(field_of("VarChar")), request)
    assert "row 2: 18 bytes are above its max_length of 16" in text


@pytest.mark.parametrize(
    "bad", [b"", b"{", b"{'a': 1}", b"nan", b"1 2", b"[1", b"\xff", b'"\xff"', b"[" * 100_000]
)
def test_what_is_not_json_is_refused_by_row(bad: bytes) -> None:
    request = request_of()
    add(request, "JSON", [b"1", bad, b"2"])
    text = refused(schema_of(field_of("JSON")), request)
    assert "field 'x', row 1" in text


def test_rows_that_are_json_only_together_are_refused() -> None:
    request = request_of()
    add(request, "JSON", [b"[1", b"2]", b"3,4"])
    assert "row 0: not JSON" in refused(schema_of(field_of("JSON")), request)


def test_json_over_several_lines_is_kept_as_it_is() -> None:
    text = b'{\n  "a": 1\n}'
    request = request_of()
    add(request, "JSON", [text, b"1", b"2"])
    found = column(check_rows(schema_of(field_of("JSON")), request, upsert=False), "x")
    assert found[0].as_py() == text.decode()


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 128 + b"]" * 128,
        b"[" + b"[]," * 500 + b"[]]",
        b'"' + b"[" * 500 + b'\\"' + b"{" * 500 + b'"',
    ],
)
def test_json_is_taken_to_a_depth_of_128(text: bytes) -> None:
    request = request_of()
    add(request, "JSON", [text, b"1", b"2"])
    found = column(check_rows(schema_of(field_of("JSON")), request, upsert=False), "x")
    assert found[0].as_py() == text.decode()


def test_json_that_is_nested_deeper_is_refused_by_row() -> None:
    request = request_of()
    add(request, "JSON", [b"1", b"[" * 129 + b"]" * 129, b"2"])
    text = refused(schema_of(field_of("JSON")), request)
    assert "field 'x', row 1: its JSON is nested 129 deep, 128 at most" in text
    request = request_of()
    dynamic(request, b"{}", b'{"a":' * 200 + b"1" + b"}" * 200, b"{}")
    assert "row 1: its JSON is nested 200 deep" in refused(schema_of(dynamic=True), request)


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity"])
def test_a_bare_nan_is_no_json_in_a_dynamic_field_either(number: bytes) -> None:
    request = request_of()
    dynamic(request, b"{}", b'{"a": ' + number + b"}", b"{}")
    text = refused(schema_of(dynamic=True), request)
    assert "row 1: not JSON" in text


def dynamic(request: Message, *rows: bytes, name: str = "$meta") -> Message:
    item = request.fields_data.add(field_name=name, type=KIND("JSON"), is_dynamic=True)
    item.scalars.json_data.data.extend(rows)
    return item


@pytest.mark.parametrize("name", ["$meta", ""])
def test_the_dynamic_column_holds_an_object_a_row(name: str) -> None:
    schema = schema_of(dynamic=True)
    request = request_of()
    dynamic(request, b'{"a":1}', b"{}", b'{"b":[1]}', name=name)
    found = column(check_rows(schema, request, upsert=False), "$meta").to_pylist()
    assert found == ['{"a":1}', "{}", '{"b":[1]}']
    absent = column(check_rows(schema, request_of(), upsert=False), "$meta").to_pylist()
    assert absent == ["{}"] * 3


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (b"[1]", "must be an object"),
        (b"null", "must be an object"),
        (b"{", "not JSON"),
        (b'{"v": 1}', "'v' is a field of the schema"),
        (b'{"$meta": 1}', "'$meta' is a field of the schema"),
        (b'{"a": 1}{', "not JSON"),
    ],
)
def test_a_dynamic_row_that_can_not_be_kept_is_refused(row: bytes, words: str) -> None:
    request = request_of()
    dynamic(request, b"{}", row, b"{}")
    text = refused(schema_of(dynamic=True), request)
    assert "row 1" in text
    assert words in text


def test_a_dynamic_column_needs_a_dynamic_collection() -> None:
    request = request_of()
    dynamic(request, b"{}", b"{}", b"{}")
    assert "no field '$meta'" in refused(schema_of(), request)
    request = request_of()
    item = dynamic(request, b"{}", b"{}", b"{}")
    item.is_dynamic = False
    assert "no field '$meta'" in refused(schema_of(dynamic=True), request)


def test_columns_must_be_those_of_the_collection() -> None:
    schema = schema_of(field_of("Int8"))
    assert "field 'x' is missing" in refused(schema, request_of())
    request = request_of()
    add(request, "Int8", [1, 2, 3])
    add(request, "Int8", [1, 2, 3])
    assert "field 'x' twice" in refused(schema, request)
    assert "no field 'x'" in refused(schema_of(), request)


def test_a_column_of_another_type_is_refused() -> None:
    schema = schema_of(field_of("Int8"))
    request = request_of()
    add(request, "VarChar", ["a", "b", "c"])
    assert "field 'x' must be INT8, not VARCHAR" in refused(schema, request)
    request.fields_data[2].type = KIND("Int8")
    assert "field 'x' must be INT8, not string_data" in refused(schema, request)
    request.fields_data[2].vectors.dim = 3
    assert "field 'x' must be INT8, not vectors" in refused(schema, request)
    request.fields_data[2].type = 999
    assert "must be INT8, not type 999" in refused(schema, request)


def test_a_column_of_another_field_id_is_refused() -> None:
    request = request_of()
    request.fields_data[0].field_id = 100
    check_rows(schema_of(), request, upsert=False)
    request.fields_data[0].field_id = 101
    assert "the field with id 100" in refused(schema_of(), request)


def test_counts_must_match_num_rows() -> None:
    schema = schema_of(field_of("Int8", nullable=True))
    request = request_of()
    add(request, "Int8", [1, 2])
    assert "field 'x' has 2 values, but num_rows is 3" in refused(schema, request)
    request = request_of()
    add(request, "Int8", [1], [True, False, True])
    assert "field 'x' has 1 values, but num_rows is 3, 1 of them null" in refused(schema, request)
    request = request_of()
    add(request, "Int8", [1, 2], [True, True])
    assert "2 entries in valid_data" in refused(schema, request)
    request = request_of()
    add(request, "Int8", [1, 2])
    assert "a value in 2 of 3 rows only" in refused(schema_of(field_of("Int8")), request)
    request = request_of()
    request.num_rows = 0
    assert "no rows" in refused(schema, request)
    request.num_rows = 2
    assert "num_rows is 2" in refused(schema, request)


def test_a_null_needs_a_nullable_field() -> None:
    request = request_of()
    add(request, "Int8", [1, 2], [True, False, True])
    assert "row 1: null" in refused(schema_of(field_of("Int8")), request)


def test_an_automatic_key_is_left_out_of_an_insert_and_given_in_an_upsert() -> None:
    schema = schema_of(auto=True)
    assert "left out" in refused(schema, request_of()) or "leave it out" in refused(
        schema, request_of()
    )
    rows = check_rows(schema, insert_request("c", None, dim=2, rows=3), upsert=False)
    assert rows.columns[0] is None
    assert rows.keys is None
    rows = check_rows(schema, request_of(upsert=True), upsert=True)
    assert rows.columns[0] is None
    assert rows.keys is not None
    assert rows.keys.to_pylist() == [0, 1, 2]
    without = insert_request("c", None, dim=2, rows=3, upsert=True)
    assert "field 'id' is missing" in refused(schema, without, upsert=True)


def test_the_type_of_a_column_may_be_left_unsaid() -> None:
    request = pb.InsertRequest.FromString(request_of().SerializeToString())
    for item in request.fields_data:
        item.ClearField("type")
    assert check_rows(schema_of(), request, upsert=False).count == 3


def test_a_varchar_key_is_measured_too() -> None:
    schema = schema_of(key="VarChar")
    assert schema.key.type is DataType.VARCHAR
    request = insert_request("c", ["a", "b" * 65], dim=2)
    assert "field 'id', row 1: 65 bytes" in refused(schema, request)


TOO_BAD: list[tuple[str, Any, str]] = [
    ("Int8", 300, "300 does not fit INT8"),
    ("Int16", 70_000, "70000 does not fit INT16"),
    ("Float", float("inf"), "a value that is not finite, or too large for FLOAT"),
    ("Float", float("nan"), "NaN and infinity"),
    ("Double", float("inf"), "NaN and infinity"),
    ("VarChar", "x" * 50, "50 bytes are above its max_length of 16"),
    ("JSON", b"{", "not JSON"),
    ("JSON", b'"\xff"', "the text is not UTF-8"),
    ("JSON", b"[" * 129 + b"]" * 129, "its JSON is nested 129 deep"),
]
DEFAULTS: dict[str, dict[str, Any]] = {
    "Int8": {"int_data": 7},
    "Int16": {"int_data": 7},
    "Float": {"float_data": 1.5},
    "Double": {"double_data": 0.1},
    "VarChar": {"string_data": "none"},
}
SHAPES = [*((case, False) for case in TOO_BAD), *((c, True) for c in TOO_BAD if c[0] in DEFAULTS)]


def test_every_type_that_can_be_wrong_has_a_case_of_its_row() -> None:
    # Any number of the protocol fits the other integers, and a boolean is one or the other.
    assert {kind for kind, _, _ in TOO_BAD} | {"Bool", "Int32", "Int64"} == set(MEMBERS)


@pytest.mark.parametrize(("case", "default"), SHAPES)
@pytest.mark.parametrize("compact", [True, False])
def test_a_wrong_value_behind_nulls_is_refused_by_its_row(
    case: tuple[str, Any, str], default: bool, compact: bool
) -> None:
    kind, bad, words = case
    more: dict[str, Any] = {"nullable": True}
    if default:
        more = {"default_value": schema_pb.ValueField(**DEFAULTS[kind])}
    filler = MEMBERS[kind][1][1]
    request = request_of(5)
    values = [filler, bad] if compact else [filler] * 4 + [bad]
    add(request, kind, values, [True, False, False, False, True])
    text = refused(schema_of(field_of(kind, **more)), request)
    assert f"field 'x', row 4: {words}" in text


def test_a_number_too_large_for_a_float_vector_is_not_called_nan() -> None:
    request = request_of()
    request.fields_data[1].vectors.float_vector.data[3] = 1e300  # protobuf makes infinity of it
    text = refused(schema_of(), request)
    assert "field 'v', row 1: a value that is not finite, or too large for FLOAT" in text


@pytest.mark.parametrize(
    ("row", "words"),
    [(b"[1]", "must be an object"), (b'{"v": 1}', "'v' is a field"), (b"{", "not JSON")],
)
def test_a_wrong_dynamic_row_behind_others_is_refused_by_its_row(row: bytes, words: str) -> None:
    request = request_of(4)
    dynamic(request, b"{}", b"{}", b"{}", row)
    text = refused(schema_of(dynamic=True), request)
    assert "row 3" in text and words in text
