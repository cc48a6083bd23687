"""CSV: cells of every type, rows of the wrong width, quoted line ends."""

import io
from typing import Any

import pytest

from headrace.ingest.columns.made_schema import made_schema
from headrace.ingest.sources import csv
from headrace.ingest.sources import source as source_module
from headrace.ingest.sources.csv import CsvSource
from headrace.model.errors import Invalid
from headrace.model.schema import DataType, Field, Schema

KEY = Field(id=100, name="id", type=DataType.INT64, primary=True)
TEXT = Field(id=101, name="t", type=DataType.VARCHAR, max_length=20, nullable=True)
VECTOR = Field(id=102, name="v", type=DataType.FLOAT_VECTOR, dim=2)
SCHEMA = Schema(fields=(KEY, TEXT, VECTOR))


def source_of(text: str, **more: Any) -> CsvSource:
    raw = text.encode()
    return CsvSource(
        "rows.csv", io.BytesIO(raw), len(raw), **{"columns": None, "vectors": (), **more}
    )


def test_cells_become_what_their_fields_are() -> None:
    text = 'id,t,v\n1,"a\nb","[1, 2]"\n2,,"[3,4.5]"\n3,"","[5,6]"\n'
    source = source_of(text)
    source.check(SCHEMA)
    (piece,) = source.read(SCHEMA, 0)
    assert not piece.faults
    assert piece.columns["id"].to_pylist() == [1, 2, 3]
    assert piece.columns["t"].to_pylist() == ["a\nb", None, ""]
    assert piece.columns["v"].to_pylist() == [[1, 2], [3, 4.5], [5, 6]]


def test_rows_that_are_wrong_are_known_by_row_and_column() -> None:
    rows = ['1,a,"[1,2]"', "2,b", 'x,c,"[1,2]"', ',d,"[1,2]"', '5,e,"[1"', '6,f,"[1],[2]"', "7,g,"]
    rows += ["8," + "h" * 30 + ',"[1,2]"', "", '10,i,"[1,2]",more', '11,j,"[1,2]"', "12"]
    (*pieces,) = source_of("id,t,v\n" + "\n".join(rows) + "\n").read(SCHEMA, 0)
    found: dict[int, str] = {}
    first = 0
    for piece in pieces:
        blank = piece.blank
        found |= {first + p: f.column for p, f in piece.faults.items() if p not in blank}
        first += piece.count
    assert first == len(rows)
    wanted = {1: "", 2: "id", 3: "id", 4: "v", 5: "v", 6: "v", 7: "t", 9: "", 11: ""}
    assert found == wanted
    assert pieces[0].original(2) == {"id": "x", "t": "c", "v": "[1,2]"}


@pytest.mark.parametrize("start", [0, 1, 500, 998, 1000])
def test_reading_begins_at_any_row(monkeypatch: pytest.MonkeyPatch, start: int) -> None:
    monkeypatch.setattr(csv, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(source_module, "HEAD_BYTES", 300)
    rows = [f'{n},"a\n{n}","[1,2]"' if n % 10 else "bad" for n in range(1000)]
    pieces = list(source_of("id,t,v\n" + "\n".join(rows)).read(SCHEMA, start))
    assert sum(p.count for p in pieces) == 1000 - start
    place, seen = start, []
    for piece in pieces:
        for number, key in enumerate(piece.columns["id"].to_pylist()):
            if number not in piece.faults:
                assert key == place + number
                seen.append(key)
        assert {place + p for p in piece.faults} == {
            n for n in range(place, place + piece.count) if n % 10 == 0
        }
        place += piece.count
    assert seen == [n for n in range(start, 1000) if n % 10]


def test_a_schema_is_made_from_the_first_rows() -> None:
    source = source_of('id,x,b,t,v,when\n1,0.5,true,a,"[1,2.5]",2020-01-01\n2,,false,,"[1,2]",\n')
    schema = made_schema(source.name, source.fields(), "id", False)
    assert {f.name: f.type for f in schema.fields} == {
        "id": DataType.INT64,
        "x": DataType.DOUBLE,
        "b": DataType.BOOL,
        "t": DataType.VARCHAR,
        "v": DataType.FLOAT_VECTOR,
        "when": DataType.VARCHAR,
    }
    (piece,) = source.read(schema, 0)
    assert not piece.faults
    assert piece.columns["b"].to_pylist() == [True, False]
    assert piece.columns["when"].to_pylist() == ["2020-01-01", None]


def test_columns_without_a_field_are_dynamic() -> None:
    meta = Field(id=103, name="$meta", type=DataType.JSON, dynamic=True)
    source = source_of('id,v,x\n1,"[1,2]",7\n2,"[1,2]",\n')
    (piece,) = source.read(Schema(fields=(KEY, VECTOR, meta)), 0)
    assert piece.columns["$meta"].to_pylist() == ['{"x":"7"}', "{}"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot be read as CSV"),
        ("a,a\n1,2\n", "has column 'a' twice in its first line"),
        ("a,\n1,2\n", "a column without a name"),
    ],
)
def test_a_first_line_that_names_no_columns_is_refused(text: str, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        source_of(text)


def test_named_columns_alone_are_read() -> None:
    source = source_of('id,t,v\n1,a,"[1,2]"\n', columns=("v", "id"))
    (piece,) = source.read(SCHEMA, 0)
    assert list(piece.columns) == ["v", "id"]
    with pytest.raises(Invalid, match="has no column 'x'; it has id, t, v"):
        source_of("id,t,v\n", columns=("x",))
