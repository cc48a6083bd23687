"""Options: what goes with what, formats by name."""

from pathlib import Path
from typing import Any

import pytest

from headrace.ingest.options import STANDARD_INPUT, Format, Options
from headrace.model.errors import Invalid


def options(*files: str, **more: Any) -> Options:
    return Options(files=tuple(map(Path, files)), collection="docs", **more)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.parquet", Format.PARQUET),
        ("a.JSONL", Format.JSONL),
        ("a.ndjson", Format.JSONL),
        ("a.csv", Format.CSV),
        ("a.npy", Format.NPY),
        ("-", Format.JSONL),
    ],
)
def test_the_name_says_the_format(name: str, form: Format) -> None:
    assert options(name).format_of(Path(name)) == form


def test_a_flag_says_the_format_where_the_name_does_not() -> None:
    with pytest.raises(Invalid, match=r"a\.txt ends in none of \.parquet, .*: say --format"):
        options("a.txt")
    assert options("a.txt", format=Format.CSV).format_of(Path("a.txt")) == Format.CSV
    with pytest.raises(Invalid, match="parquet is not read from standard input"):
        options("-", format=Format.PARQUET).format_of(STANDARD_INPUT)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"key": "id"}, "--key goes with --create"),
        ({"vectors": ("v",)}, "--vector and --shards go with --create"),
        ({"shards": 2}, "--vector and --shards go with --create"),
    ],
)
def test_flags_of_a_new_collection_need_one(more: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        options("a.csv", **more)


def test_files_are_told_apart() -> None:
    with pytest.raises(Invalid, match="a file is named twice"):
        options("a.csv", "a.csv")
    with pytest.raises(Invalid, match="several would have the same"):
        options("a.npy", "b.npy")
    with pytest.raises(Invalid, match="two files have the same name"):
        options("x/a.csv", "y/a.csv", journal=Path("j"))
