"""JSON Lines: lines across blocks, broken ones, values of every type."""

import io
from typing import Any

import orjson
import pytest
from support.processes.ingesting import rows_of

from headrace.ingest.columns.made_schema import made_schema
from headrace.ingest.sources import jsonl
from headrace.ingest.sources import source as source_module
from headrace.ingest.sources.jsonl import JsonlSource
from headrace.model.errors import Invalid
from headrace.model.schema import DataType, Field, Schema

KEY = Field(id=100, name="id", type=DataType.INT64, primary=True)
VECTOR = Field(id=101, name="v", type=DataType.FLOAT_VECTOR, dim=2)
META = Field(id=102, name="$meta", type=DataType.JSON, dynamic=True)


def source_of(text: bytes, **more: Any) -> JsonlSource:
    values = {"columns": None, "vectors": (), **more}
    return JsonlSource("rows.jsonl", io.BytesIO(text), len(text), **values)


def test_rows_across_blocks_come_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "HEAD_BYTES", 100)
    monkeypatch.setattr(jsonl, "PIECE_BYTES", 70)
    text = b"".join(b'{"id":%d,"v":[%d,0.5]}\n' % (n, n) for n in range(200)).rstrip(b"\n")
    for start in (0, 1, 57, 199, 200):
        source = source_of(text)
        pieces = list(source.read(Schema(fields=(KEY, VECTOR)), start))
        ids = [i for p in pieces for i in p.columns["id"].to_pylist()]
        assert ids == list(range(start, 200))
        assert not any(p.faults for p in pieces)


def test_rows_that_are_wrong_are_known_by_line_and_column() -> None:
    rows = [
        '{"id": 1, "v": [1, 2]}',
        '{"id": 2, "v": [1, 2]',
        "",
        '{"id": "3", "v": [1, 2]}',
        '{"id": 4, "v": [1]}',
        '{"v": [1, 2]}',
        '{"id": 7, "v": [1, 2], "x": 1}',
        '{"id": 8, "v": ["1", "2"]}',
        "[1]",
        '{"id": 10.5, "v": [1, 2]}',
        '{"id": 99999999999999999999, "v": [1, 2]}',
        '{"id": 12, "v": [1, null]}',
        '{"id": 13, "v": null}',
        '{"id": true, "v": [1, 2]}',
        '{"id": 15, "v": [1, 2]}\r',
    ]
    text = "".join(row + "\n" for row in rows)
    (piece,) = source_of(text.encode()).read(Schema(fields=(KEY, VECTOR)), 0)
    assert piece.count == len(rows)
    assert piece.blank == {2}
    found = {place: (f.column, f.reason) for place, f in piece.faults.items() if place != 2}
    assert sorted(found) == [1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
    assert found[1][1].startswith("the line is no JSON object: ")
    assert found[3] == ("id", "a text stands where a whole number belongs")
    assert found[4] == ("v", "a vector of dim 1, but the field has dim 2")
    assert found[5] == ("id", "the primary key is missing")
    assert found[6] == ("x", "the collection has no such field")
    assert found[7][0] == found[11][0] == found[12][0] == "v"
    assert found[9][0] == found[10][0] == found[13][0] == "id"
    assert piece.original(4) == {"id": 4, "v": [1]}
    assert piece.original(1) == '{"id": 2, "v": [1, 2]'


def test_what_the_schema_does_not_know_is_dynamic() -> None:
    text = b'{"id":1,"v":[1,2],"a":1.50,"b":{"c":[]}}\n{"id":2,"v":[1,2]}\n'
    (piece,) = source_of(text).read(Schema(fields=(KEY, VECTOR, META)), 0)
    assert piece.columns["$meta"].to_pylist() == ['{"a":1.50,"b":{"c":[]}}', "{}"]
    (piece,) = source_of(text, columns=("id", "v", "b")).read(Schema(fields=(KEY, VECTOR, META)), 0)
    assert piece.columns["$meta"].to_pylist() == ['{"b":{"c":[]}}', "{}"]


def test_a_schema_is_made_from_the_first_lines() -> None:
    rows = [dict(r, odd=[1, "a"], s={"3": 0.5}, none=None) for r in rows_of(20).to_pylist()]
    source = source_of(b"".join(orjson.dumps(r) + b"\n" for r in rows))
    schema = made_schema(source.name, source.fields(), "id", True)
    kinds = {f.name: f.type for f in schema.fields}
    assert kinds == {
        "id": DataType.INT64,
        "text": DataType.VARCHAR,
        "score": DataType.DOUBLE,
        "tags": DataType.ARRAY,
        "about": DataType.JSON,
        "vector": DataType.FLOAT_VECTOR,
        "odd": DataType.JSON,
        "s": DataType.SPARSE_FLOAT_VECTOR,
        "$meta": DataType.JSON,
    }
    (piece,) = source.read(schema, 0)
    assert not piece.faults
    assert piece.columns["odd"].to_pylist()[0] == '[1,"a"]'
    assert piece.columns["s"].to_pylist()[0] == {"indices": [3], "values": [0.5]}
    assert piece.columns["$meta"].to_pylist()[0] == '{"none":null}'


def test_a_broken_line_does_not_decide_the_schema() -> None:
    source = source_of(b'[]\n{"id": 1, "v": [1.5, 2.5]}\n{"id": 2, "v": [1.5, NaN]}\n')
    schema = made_schema(source.name, source.fields(), "id", False)
    assert [f.name for f in schema.fields] == ["id", "v"]
    (piece,) = source.read(schema, 0)
    assert sorted(piece.faults) == [0, 2]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "has no JSON objects, one a line, to make a collection from"),
        (b"\n\n", "has no JSON objects"),
        (b'1\n{"a"', "has no JSON objects"),
    ],
)
def test_no_schema_is_made_of_what_is_none(text: bytes, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        source_of(text).fields()


def test_a_line_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "LINE_BYTES_MAX", 100)
    monkeypatch.setattr(source_module, "HEAD_BYTES", 60)
    monkeypatch.setattr(jsonl, "PIECE_BYTES", 60)
    source = source_of(b'{"id":1,"v":[1,2]}\n{"id":' + b"1" * 300)
    with pytest.raises(Invalid, match="row 2: a line of more than"):
        list(source.read(Schema(fields=(KEY, VECTOR)), 0))


def test_a_line_that_is_not_utf8_is_a_row_that_does_not_fit() -> None:
    text = '{"id":1,"v":[1,2],"x":"é"}\n'.encode() + b'{"id":2,"v":[1,2],"x":"\xff"}\n'
    (piece,) = source_of(text).read(Schema(fields=(KEY, VECTOR, META)), 0)
    assert {p: f.reason for p, f in piece.faults.items()} == {1: "the line is not UTF-8"}
    assert piece.columns["$meta"].to_pylist() == ['{"x":"é"}', "{}"]
