"""A schema is checked field by field; what is not served is named."""

from typing import Any

import pytest
from support.world.proxy import simple_schema

from headrace.model.errors import Invalid
from headrace.model.schema import DataType, Field
from headrace.proxy.collections.schema_check import (
    ELEMENT_TYPES,
    SERVED_TYPES,
    check_name,
    check_schema,
    schema_message,
    type_name,
)
from headrace.proxy.milvus import Message, schema_pb


def check(message: Message) -> Any:
    return check_schema(message, fields_max=64)


def refused(message: Message) -> str:
    with pytest.raises(Invalid) as caught:
        check(message)
    assert caught.value.code in (1100, 1101)
    return str(caught.value)


def with_field(**field: Any) -> Message:
    return simple_schema(fields=(field,))


def test_a_schema_becomes_ours_with_ids_in_order_and_the_dynamic_field_last() -> None:
    schema = check(
        simple_schema(
            dim=8,
            dynamic=True,
            fields=(
                {"name": "t", "data_type": "VarChar", "parameters": {"max_length": 9}},
                {"name": "j", "data_type": "JSON", "nullable": True, "description": "why"},
            ),
        )
    )
    assert schema.fields == (
        Field(id=100, name="id", type=DataType.INT64, primary=True),
        Field(id=101, name="v", type=DataType.FLOAT_VECTOR, dim=8),
        Field(id=102, name="t", type=DataType.VARCHAR, max_length=9),
        Field(id=103, name="j", type=DataType.JSON, nullable=True, description="why"),
        Field(id=104, name="$meta", type=DataType.JSON, dynamic=True),
    )


@pytest.mark.parametrize("kind", [t for t in DataType if t not in SERVED_TYPES and t])
def test_a_type_that_is_not_served_is_refused_by_field_and_type(kind: DataType) -> None:
    message = simple_schema()
    message.fields.add(name="x", data_type=int(kind))
    text = refused(message)
    assert "field 'x'" in text
    assert kind.name in text
    assert "FLOAT_VECTOR" in text


@pytest.mark.parametrize("code", schema_pb.DataType.values())
def test_every_type_of_the_protocol_is_served_or_named(code: int) -> None:
    message = simple_schema()
    message.fields.add(name="x", data_type=code)
    if code not in [int(t) for t in SERVED_TYPES]:
        served = ", ".join(t.name for t in SERVED_TYPES)
        assert refused(message).startswith(f"field 'x' has type {type_name(code)}, ")
        assert refused(message).endswith(f"served are {served}")


@pytest.mark.parametrize("code", schema_pb.DataType.values())
def test_an_array_of_every_type_of_the_protocol_is_served_or_named(code: int) -> None:
    parameters = {"max_capacity": 4} | ({"max_length": 4} if code == DataType.VARCHAR else {})
    field = {"name": "x", "data_type": "Array", "element_type": code, "parameters": parameters}
    if code in [int(t) for t in ELEMENT_TYPES]:
        assert check(with_field(**field)).fields[2].element_type == code
    else:
        served = ", ".join(t.name for t in ELEMENT_TYPES)
        words = refused(with_field(**field))
        assert words.startswith(f"field 'x' is an array of {type_name(code)}, ")
        assert words.endswith(f"served are {served}")


@pytest.mark.parametrize(
    ("kind", "given", "kept"),
    [
        ("Bool", {"bool_data": False}, False),
        ("Int8", {"int_data": -128}, -128),
        ("Int16", {"long_data": 7}, 7),
        ("Int32", {"int_data": 2**31 - 1}, 2**31 - 1),
        ("Int64", {"long_data": -(2**63)}, -(2**63)),
        ("Int64", {"int_data": 3}, 3),
        ("Float", {"float_data": 1.5}, 1.5),
        ("Float", {"double_data": 0.5}, 0.5),
        ("Double", {"double_data": 0.1}, 0.1),
    ],
)
def test_a_default_is_kept_and_answered(kind: str, given: dict[str, Any], kept: Any) -> None:
    schema = check(
        with_field(name="x", data_type=kind, default_value=schema_pb.ValueField(**given))
    )
    field = schema.field("x")
    assert field.has_default
    assert field.default == kept
    assert check(schema_message("c", schema)) == schema


def test_a_text_default_is_measured_in_bytes() -> None:
    def text_field(default: str) -> Message:
        return with_field(
            name="x",
            data_type="VarChar",
            parameters={"max_length": 4},
            default_value=schema_pb.ValueField(string_data=default),
        )

    assert check(text_field("über"[:3])).field("x").default == "übe"
    assert "above its max_length" in refused(text_field("über"))
    assert check(text_field("")).field("x").has_default


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ({"name": "b", "data_type": "BinaryVector", "parameters": {"dim": 12}}, "multiple of 8"),
        ({"name": "b", "data_type": "BinaryVector", "parameters": {"dim": 262152}}, "262144"),
        ({"name": "h", "data_type": "Float16Vector", "parameters": {"dim": 32769}}, "32768"),
        ({"name": "s", "data_type": "SparseFloatVector", "parameters": {"dim": 4}}, "'dim'"),
        ({"name": "s", "data_type": "SparseFloatVector", "nullable": True}, "nullable"),
        ({"name": "a", "data_type": "Array"}, "array of NONE"),
        ({"name": "a", "data_type": "Array", "element_type": 23}, "array of JSON"),
        ({"name": "a", "data_type": "Array", "element_type": 101}, "array of FLOAT_VECTOR"),
        ({"name": "a", "data_type": "Array", "element_type": 5}, "max_capacity"),
        (
            {
                "name": "a",
                "data_type": "Array",
                "element_type": 5,
                "parameters": {"max_capacity": 4097},
            },
            "4096",
        ),
        (
            {
                "name": "a",
                "data_type": "Array",
                "element_type": 21,
                "parameters": {"max_capacity": 4},
            },
            "max_length",
        ),
        (
            {
                "name": "a",
                "data_type": "Array",
                "element_type": 5,
                "parameters": {"max_capacity": 4, "max_length": 4},
            },
            "max_length",
        ),
        ({"name": "x", "data_type": "Int64", "is_primary_key": True}, "2 primary keys"),
        ({"name": "x", "data_type": "Int64", "autoID": True}, "auto_id"),
        ({"name": "x", "data_type": "Int8", "is_clustering_key": True}, "is_clustering_key"),
        ({"name": "x", "data_type": "Int8", "is_function_output": True}, "'x' is the output of"),
        ({"name": "x", "data_type": "Int8", "is_dynamic": True}, "is_dynamic"),
        ({"name": "x", "data_type": "Int8", "fieldID": 3}, "id 3"),
        ({"name": "x", "data_type": "Int8", "external_field": "y"}, "external_field"),
        ({"name": "x", "data_type": "Int8", "element_type": 5}, "element_type"),
        ({"name": "x", "data_type": "VarChar"}, "max_length"),
        ({"name": "x", "data_type": "VarChar", "parameters": {"max_length": 0}}, "max_length"),
        ({"name": "x", "data_type": "VarChar", "parameters": {"max_length": 65536}}, "65535"),
        ({"name": "x", "data_type": "VarChar", "parameters": {"max_length": "a"}}, "'a'"),
        ({"name": "x", "data_type": "Int8", "parameters": {"dim": 4}}, "'dim'"),
        (
            {"name": "x", "data_type": "Int8", "parameters": {"mmap.enabled": "true"}},
            "mmap.enabled",
        ),
        ({"name": "_row_id", "data_type": "Int8"}, "reserved"),
        ({"name": "_timestamp", "data_type": "Int8"}, "reserved"),
        ({"name": "$meta", "data_type": "Int8"}, "no valid name"),
        ({"name": "a b", "data_type": "Int8"}, "no valid name"),
        ({"name": "", "data_type": "Int8"}, "missing"),
        ({"name": "x" * 256, "data_type": "Int8"}, "255"),
        ({"name": "id", "data_type": "Int8"}, "'id' twice"),
        (
            {
                "name": "x",
                "data_type": "Int8",
                "default_value": schema_pb.ValueField(int_data=128),
            },
            "out of the range of INT8",
        ),
        (
            {
                "name": "x",
                "data_type": "Int8",
                "default_value": schema_pb.ValueField(string_data="a"),
            },
            "not of type INT8",
        ),
        (
            {
                "name": "x",
                "data_type": "Float",
                "default_value": schema_pb.ValueField(double_data=1e300),
            },
            "no finite FLOAT",
        ),
        (
            {
                "name": "x",
                "data_type": "Double",
                "default_value": schema_pb.ValueField(double_data=float("nan")),
            },
            "no finite DOUBLE",
        ),
        (
            {
                "name": "x",
                "data_type": "JSON",
                "default_value": schema_pb.ValueField(string_data="{}"),
            },
            "given a default",
        ),
    ],
)
def test_a_wrong_field_is_refused_in_words(field: dict[str, Any], words: str) -> None:
    assert words in refused(with_field(**field))


def test_the_key_is_an_int64_or_a_varchar_and_plain() -> None:
    assert "INT64 or VARCHAR" in refused(simple_schema(key="Int32"))
    message = simple_schema()
    message.fields[0].nullable = True
    assert "nullable" in refused(message)
    message = simple_schema()
    message.fields[0].default_value.long_data = 4
    assert "default" in refused(message)
    message = simple_schema()
    message.fields[0].is_primary_key = False
    assert "0 primary keys" in refused(message)


@pytest.mark.parametrize("kind", ["Int64", "VarChar"])
@pytest.mark.parametrize("default", [False, True])
def test_a_partition_key_is_kept_and_answered(kind: str, default: bool) -> None:
    parameters = {"max_length": 8} if kind == "VarChar" else {}
    message = with_field(name="p", data_type=kind, is_partition_key=True, parameters=parameters)
    if default:
        member = "string_data" if kind == "VarChar" else "long_data"
        setattr(message.fields[2].default_value, member, "x" if kind == "VarChar" else 5)
    schema = check(message)
    assert schema.partition_key is schema.field("p")
    assert [f.is_partition_key for f in schema_message("c", schema).fields] == [False, False, True]
    assert check(schema_message("c", schema)) == schema
    assert check(simple_schema()).partition_key is None


@pytest.mark.parametrize("kind", [DataType.INT32, DataType.BOOL, DataType.DOUBLE, DataType.JSON])
def test_a_partition_key_of_another_type_is_refused(kind: DataType) -> None:
    name = schema_pb.DataType.Name(int(kind))
    message = with_field(name="p", data_type=name, is_partition_key=True)
    assert f"since it has type {kind.name}, not INT64 or VARCHAR" in refused(message)


def test_there_is_one_plain_partition_key() -> None:
    message = with_field(name="p", data_type="Int64", is_partition_key=True)
    message.fields[2].nullable = True
    assert "field 'p' can not be the partition key, since it is nullable" in refused(message)
    message = simple_schema()
    message.fields[0].is_partition_key = True
    assert "since it is the primary key" in refused(message)
    message = with_field(name="p", data_type="Int64", is_partition_key=True)
    message.fields.add(name="q", data_type=int(DataType.INT64), is_partition_key=True)
    assert "2 partition keys (p, q)" in refused(message)


def test_a_key_is_automatic_by_either_flag() -> None:
    assert check(simple_schema(auto=True)).key.auto_id
    message = simple_schema()
    message.autoID = True
    assert check(message).key.auto_id


def test_vectors_have_a_dim_and_no_nulls() -> None:
    for dim in ("0", "32769", "-1", "x", "4.0", ""):
        message = simple_schema()
        message.fields[1].type_params[0].value = dim
        assert "dim" in refused(message)
    message = simple_schema()
    message.fields[1].nullable = True
    assert "can not be nullable" in refused(message)
    message = simple_schema()
    del message.fields[1]
    assert "0 vector fields" in refused(message)


def test_there_are_1_to_64_fields() -> None:
    message = schema_pb.CollectionSchema()
    assert "0 fields" in refused(message)
    message = simple_schema()
    for n in range(63):
        message.fields.add(name=f"f{n}", data_type=int(DataType.INT8))
    assert "65 fields" in refused(message)
    del message.fields[-1]
    assert len(check(message).fields) == 64


def test_parts_of_a_schema_that_are_not_served_are_named() -> None:
    message = simple_schema()
    message.functions.add(name="bm25")
    assert "CollectionSchema.functions" in refused(message)
    message.functions[0].output_field_names.append("sparse")
    assert "field 'sparse' is the output of a function" in refused(message)
    message = simple_schema()
    message.struct_array_fields.add(name="chunks")
    assert "field 'chunks' has type ARRAY of STRUCT" in refused(message)
    assert "served are BOOL, INT8, " in refused(message)
    message = simple_schema()
    message.properties.add(key="timezone", value="UTC")
    assert "'timezone'" in refused(message)


def test_names_are_those_of_milvus() -> None:
    for name in ("a", "_a1", "A" * 255):
        check_name("collection name", name)
    for name in ("1a", "a-b", "a.b", "ä", "a\n", "A" * 256):
        with pytest.raises(Invalid):
            check_name("collection name", name)


@pytest.mark.parametrize(
    "field",
    [
        {"data_type": "BinaryVector", "parameters": {"dim": 262_144}},
        {"data_type": "Float16Vector", "parameters": {"dim": 3}},
        {"data_type": "BFloat16Vector", "parameters": {"dim": 3}},
        {"data_type": "Int8Vector", "parameters": {"dim": 3}},
        {"data_type": "SparseFloatVector"},
        *(
            {
                "data_type": "Array",
                "element_type": int(element),
                "nullable": True,
                "parameters": {"max_capacity": 9}
                | ({"max_length": 7} if element is DataType.VARCHAR else {}),
            }
            for element in ELEMENT_TYPES
        ),
    ],
)
def test_vectors_and_arrays_are_kept_and_answered_with_their_parameters(
    field: dict[str, Any],
) -> None:
    schema = check(with_field(name="x", **field))
    message = schema_message("c", schema)
    assert check(message) == schema
    made = message.fields[2]
    given = field.get("parameters", {})
    assert {p.key: p.value for p in made.type_params} == {k: str(v) for k, v in given.items()}
    assert made.element_type == field.get("element_type", 0)


def test_there_are_1_to_10_vector_fields() -> None:
    message = simple_schema()
    for n in range(9):
        message.fields.add(name=f"s{n}", data_type=int(DataType.SPARSE_FLOAT_VECTOR))
    assert len(check(message).fields) == 11
    message.fields.add(name="one_more", data_type=int(DataType.SPARSE_FLOAT_VECTOR))
    assert "11 vector fields" in refused(message)
