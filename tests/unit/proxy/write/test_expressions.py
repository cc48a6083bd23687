"""A delete names keys, in three forms; everything else is answered with these forms."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.world.proxy import simple_schema

from headrace.model.errors import Invalid
from headrace.proxy.collections.schema_check import check_schema
from headrace.proxy.milvus import Message, parse, schema_pb
from headrace.proxy.write.expressions import keys_of

NUMBERS = check_schema(simple_schema(), fields_max=64)
TEXTS = check_schema(simple_schema(key="VarChar"), fields_max=64)


def keys(expression: str, schema: Any = NUMBERS, **templates: Any) -> list[Any]:
    return keys_of(expression, {k: template(v) for k, v in templates.items()}, schema).to_pylist()


def template(value: Any) -> Message:
    message = schema_pb.TemplateValue()
    if isinstance(value, list):
        message.array_val.SetInParent()
        if value and isinstance(value[0], str):
            message.array_val.string_data.data.extend(value)
        elif value:
            message.array_val.long_data.data.extend(value)
    elif isinstance(value, str):
        message.string_val = value
    elif isinstance(value, float):
        message.float_val = value
    else:
        message.int64_val = value
    return message


def test_one_number_or_many() -> None:
    assert keys("id == 5") == [5]
    assert keys("id==-5") == [-5]
    assert keys(" id  in  [ 1,2 , 3 ] ") == [1, 2, 3]
    assert keys("id IN [7]") == [7]
    assert keys("id in[7]") == [7]
    assert keys(f"id == {2**63 - 1}") == [2**63 - 1]
    assert keys(f"id == {-(2**63)}") == [-(2**63)]


def test_one_text_or_many() -> None:
    assert keys("id == 'a'", TEXTS) == ["a"]
    assert keys('id in ["a", \'b\' ,"c,]"]', TEXTS) == ["a", "b", "c,]"]
    assert keys("id == ''", TEXTS) == [""]
    assert keys(r"id == 'it\'s \\ \n \u00fc \x41 \101'", TEXTS) == ["it's \\ \n ü A A"]


def test_values_beside_the_expression() -> None:
    assert keys("id == {one}", one=4) == [4]
    assert keys("id in { many }", many=[4, 5]) == [4, 5]
    assert keys("id in {many}", TEXTS, many=["it's", 'a "b"']) == ["it's", 'a "b"']


def test_a_key_named_twice_is_one_key() -> None:
    assert keys("id in [3, 1, 3]") == [3, 1]


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=50, unique=True))
def test_every_list_of_numbers_that_pymilvus_writes_is_read(numbers: list[int]) -> None:
    assert keys(f"id in [{','.join(map(str, numbers))}]") == numbers


@given(st.lists(st.text(), min_size=1, max_size=10, unique=True))
def test_every_list_of_texts_is_read_when_quotes_are_escaped(texts: list[str]) -> None:
    quoted = ["'" + t.replace("\\", "\\\\").replace("'", "\\'") + "'" for t in texts]
    if any("\ud800" <= c <= "\udfff" for t in texts for c in t):
        return
    assert keys(f"id in [{', '.join(quoted)}]", TEXTS) == texts


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "id",
        "id > 5",
        "id != 5",
        "id == 5 or id == 6",
        "id in [1, 2] and v > 3",
        "not id in [1]",
        "id not in [1]",
        "id in (1, 2)",
        "id in 5",
        "id in [1, 2",
        "id in [1,,2]",
        "id in [1, x]",
        "id == 5.0",
        "id == x",
        "5 == id",
        "id in [[1]]",
        "idin [1]",
    ],
)
def test_anything_else_is_answered_with_the_forms(expression: str) -> None:
    with pytest.raises(Invalid) as caught:
        keys(expression)
    assert "`id in [1, 2]`" in str(caught.value) or "no field 'idin'" in str(caught.value)


@pytest.mark.parametrize(
    ("expression", "schema", "templates", "words"),
    [
        ("v == 5", NUMBERS, {}, "by the primary key 'id' only"),
        ("other == 5", NUMBERS, {}, "no field 'other'"),
        ("id == 'a'", NUMBERS, {}, "'a' in the expression is not an INT64"),
        ("id in [1, 'a']", NUMBERS, {}, "is not an INT64"),
        ("id == 5", TEXTS, {}, "5 in the expression is not a VARCHAR"),
        ("id in ['a', 5]", TEXTS, {}, "not a VARCHAR"),
        (f"id == {2**63}", NUMBERS, {}, "not an INT64"),
        ("id == " + "9" * 5000, NUMBERS, {}, "not an INT64"),
        ("id in []", NUMBERS, {}, "names no key"),
        ("id in {k}", NUMBERS, {"k": []}, "names no key"),
        ("id in {k}", NUMBERS, {}, "{k}, which has no value"),
        ("id in [1]", NUMBERS, {"k": [1]}, "'k' is not used"),
        ("id in {k}", NUMBERS, {"k": ["a"]}, "not an INT64"),
        ("id == {k}", NUMBERS, {"k": 1.5}, "not an INT64"),
        ("id in {k}", NUMBERS, {"k": 1}, "`id in [1, 2]`"),
        (r"id == '\q'", TEXTS, {}, "not a VARCHAR"),
        (r"id == '\ud800'", TEXTS, {}, "not a VARCHAR"),
        ("id == 'it's'", TEXTS, {}, "`id in ['a', 'b']`"),
    ],
)
def test_what_is_wrong_is_said(
    expression: str, schema: Any, templates: dict[str, Any], words: str
) -> None:
    with pytest.raises(Invalid) as caught:
        keys(expression, schema, **templates)
    assert words in str(caught.value)


def test_a_list_of_100000_keys_takes_no_quadratic_time() -> None:
    numbers = list(range(100_000))
    assert keys(f"id in {numbers}") == numbers
    texts = [f"key {n}" for n in numbers]
    assert keys(f"id in {texts}", TEXTS) == texts
    with pytest.raises(Invalid):
        keys("id == " + " " * 1_000_000 + "x" + " " * 1_000_000 + "y")


def test_a_schema_survives_the_wire() -> None:
    message = simple_schema(key="VarChar")
    again = parse(schema_pb.CollectionSchema, message.SerializeToString())
    assert check_schema(again, fields_max=64) == TEXTS
