"""Arrays of every scalar; the other columns are shown by `test_rows_check`."""

from typing import Any

import numpy as np
import pytest
from support.world.proxy import insert_request, simple_schema

from headrace.binlog.columns import arrow_type
from headrace.model.errors import Invalid
from headrace.model.schema import DataType, Schema
from headrace.proxy.collections.schema_check import ELEMENT_TYPES, check_schema
from headrace.proxy.milvus import Message, pb
from headrace.proxy.write.rows_check import check_rows

VALUES: dict[DataType, tuple[str, list[Any]]] = {
    DataType.BOOL: ("bool_data", [True, False]),
    DataType.INT8: ("int_data", [-128, 127]),
    DataType.INT16: ("int_data", [-(2**15), 2**15 - 1]),
    DataType.INT32: ("int_data", [-(2**31), 2**31 - 1]),
    DataType.INT64: ("long_data", [-(2**63), 2**63 - 1]),
    DataType.FLOAT: ("float_data", [float(np.float32(0.1)), -1.5]),
    DataType.DOUBLE: ("double_data", [0.1, -1e308]),
    DataType.VARCHAR: ("string_data", ["", "übe"]),
}


def schema_of(element: DataType, **more: Any) -> Schema:
    parameters = {"max_capacity": 3}
    if element is DataType.VARCHAR:
        parameters["max_length"] = 4
    field = {"name": "x", "data_type": "Array", "element_type": int(element)}
    fields = ({**field, "parameters": parameters, **more},)
    return check_schema(simple_schema(dim=2, fields=fields), fields_max=64)


def request_of(
    element: DataType, rows: list[list[Any]], valid: list[bool] | None = None
) -> Message:
    request = insert_request("c", [0, 1, 2], dim=2)
    item = request.fields_data.add(field_name="x", type=int(DataType.ARRAY))
    array = item.scalars.array_data
    array.element_type = int(element)
    for row in rows:
        part = array.data.add()
        if row:
            getattr(part, VALUES[element][0]).data.extend(row)
    item.valid_data.extend(valid or [])
    return pb.InsertRequest.FromString(request.SerializeToString())


def column(schema: Schema, request: Message) -> Any:
    return check_rows(schema, request, upsert=False).columns[2]


def refused(schema: Schema, request: Message) -> str:
    with pytest.raises(Invalid) as caught:
        check_rows(schema, request, upsert=False)
    return str(caught.value)


def test_every_element_type_has_a_case() -> None:
    assert set(VALUES) == set(ELEMENT_TYPES)


@pytest.mark.parametrize("element", VALUES)
def test_arrays_keep_their_elements(element: DataType) -> None:
    schema = schema_of(element)
    one, two = VALUES[element][1]
    for rows in ([[one, two], [], [two, one, two]], [[], [], []]):
        found = column(schema, request_of(element, rows))
        assert found.type == arrow_type(schema.fields[2])
        assert found.to_pylist() == rows


@pytest.mark.parametrize("element", VALUES)
@pytest.mark.parametrize("compact", [True, False])
def test_an_array_may_be_null(element: DataType, compact: bool) -> None:
    one, two = VALUES[element][1]
    rows = [[one], [two, two]] if compact else [[one], [], [two, two]]
    schema = schema_of(element, nullable=True)
    found = column(schema, request_of(element, rows, [True, False, True]))
    assert found.to_pylist() == [[one], None, [two, two]]
    absent = insert_request("c", [0, 1, 2], dim=2)
    assert column(schema, absent).to_pylist() == [None] * 3


@pytest.mark.parametrize(
    ("element", "rows", "words"),
    [
        (DataType.INT64, [[1], [1, 2, 3, 4], []], "row 1: 4 elements are above its max_capacity"),
        (DataType.INT8, [[1, 2], [], [3, 128]], "row 2: 128 does not fit INT8"),
        (DataType.INT16, [[], [40_000], []], "row 1: 40000 does not fit INT16"),
        (DataType.FLOAT, [[], [], [1, float("nan")]], "row 2: NaN"),
        (DataType.DOUBLE, [[float("inf")], [], []], "row 0: NaN"),
        (DataType.VARCHAR, [["a"], ["b", "12345"], []], "row 1: 5 bytes are above its max_length"),
        (DataType.BOOL, [[True], []], "a value in 2 of 3 rows only"),
    ],
)
def test_a_wrong_array_is_refused_by_row(element: DataType, rows: Any, words: str) -> None:
    assert words in refused(schema_of(element), request_of(element, rows))


@pytest.mark.parametrize(
    ("element", "bad", "words"),
    [
        (DataType.INT64, [1, 2, 3, 4], "4 elements are above its max_capacity"),
        (DataType.INT8, [3, 128], "128 does not fit INT8"),
        (DataType.INT16, [40_000], "40000 does not fit INT16"),
        (DataType.FLOAT, [1.0, float("nan")], "NaN"),
        (DataType.FLOAT, [1.0, 1e300], "a value that is not finite, or too large for FLOAT"),
        (DataType.DOUBLE, [float("inf")], "NaN"),
        (DataType.VARCHAR, ["b", "12345"], "5 bytes are above its max_length"),
    ],
)
@pytest.mark.parametrize("compact", [True, False])
def test_a_wrong_array_behind_nulls_is_refused_by_its_row(
    element: DataType, bad: list[Any], words: str, compact: bool
) -> None:
    request = request_of(element, [bad] if compact else [[], [], bad], [False, False, True])
    text = refused(schema_of(element, nullable=True), request)
    assert f"field 'x', row 2: {words}" in text


def test_elements_of_another_type_are_refused() -> None:
    request = request_of(DataType.INT64, [[1], [2], [3]])
    assert "an array of VARCHAR, not of INT64" in refused(schema_of(DataType.VARCHAR), request)
    request.fields_data[2].scalars.array_data.element_type = 0
    text = refused(schema_of(DataType.VARCHAR), request)
    assert "an array of VARCHAR, not of long_data" in text
    request.fields_data[2].ClearField("scalars")
    assert "a value in 0 of 3 rows only" in refused(schema_of(DataType.VARCHAR), request)
