"""`.npy` files: every type of number, keys by row, what is no matrix."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headrace.ingest.columns.made_schema import made_schema
from headrace.ingest.sources import npy
from headrace.ingest.sources.npy import NpySource
from headrace.model.errors import Invalid
from headrace.model.schema import DataType, Field, Schema


def saved(path: Path, array: Any) -> Path:
    np.save(path / "v.npy", array)
    return path / "v.npy"


@pytest.mark.parametrize(
    ("number", "kind", "dim"),
    [
        ("<f4", DataType.FLOAT_VECTOR, 8),
        (">f8", DataType.FLOAT_VECTOR, 8),
        ("<f2", DataType.FLOAT16_VECTOR, 8),
        ("i1", DataType.INT8_VECTOR, 8),
        ("u1", DataType.BINARY_VECTOR, 64),
    ],
)
def test_numbers_of_every_type_are_vectors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: str, kind: DataType, dim: int
) -> None:
    monkeypatch.setattr(npy, "PIECE_BYTES", 40)
    matrix = np.arange(80).reshape(10, 8).astype(number)
    source = NpySource(saved(tmp_path, matrix), first_key=1000)
    schema = made_schema(source.name, source.fields(), "id", False)
    assert (schema.fields[1].type, schema.fields[1].dim) == (kind, dim)
    source.check(schema)
    pieces = list(source.read(schema, 3))
    assert len(pieces) > 1
    keys = [k for p in pieces for k in p.columns["id"].to_pylist()]
    assert keys == list(range(1003, 1010))
    vectors = [v for p in pieces for v in p.columns["vector"].to_pylist()]
    assert vectors == matrix[3:].tolist()


def test_the_only_vector_field_is_taken_whatever_its_name(tmp_path: Path) -> None:
    source = NpySource(saved(tmp_path, np.ones((2, 4), np.float32)), 0)
    key = Field(id=100, name="pk", type=DataType.INT64, primary=True, auto_id=True)
    one = Field(id=101, name="one", type=DataType.FLOAT_VECTOR, dim=4)
    other = Field(id=102, name="other", type=DataType.FLOAT_VECTOR, dim=4)
    source.check(Schema(fields=(key, one)))
    (piece,) = source.read(Schema(fields=(key, one)), 0)
    assert list(piece.columns) == ["one"]
    with pytest.raises(Invalid, match="one vector a row, the collection has: one, other"):
        source.check(Schema(fields=(key, one, other)))
    text = Field(id=100, name="pk", type=DataType.VARCHAR, primary=True)
    with pytest.raises(Invalid, match="'pk' is VARCHAR"):
        source.check(Schema(fields=(text, one)))


def test_a_row_that_is_not_finite_is_found(tmp_path: Path) -> None:
    matrix = np.ones((3, 2), np.float32)
    matrix[1, 1] = np.nan
    source = NpySource(saved(tmp_path, matrix), 0)
    (piece,) = source.read(made_schema(source.name, source.fields(), "id", False), 0)
    assert list(piece.faults) == [1]
    assert piece.faults[1].column == "vector"


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.ones(3), r"an array of shape \(3,\): it must be \(rows, dim\)"),
        (np.ones((3, 2), np.int64), "numbers of type int64; taken are float64"),
        (np.array([["a"]]), "numbers of type <U1"),
    ],
)
def test_what_is_no_matrix_of_numbers_is_refused(tmp_path: Path, array: Any, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        NpySource(saved(tmp_path, array), 0)


def test_what_is_no_npy_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.npy"
    path.write_bytes(b"no")
    with pytest.raises(Invalid, match=r"cannot be read as \.npy"):
        NpySource(path, 0)
