"""From a path to a source."""

from pathlib import Path

import pytest
from support.processes.ingesting import rows_of, write

from headrace.ingest.options import Options
from headrace.ingest.sources.csv import CsvSource
from headrace.ingest.sources.jsonl import JsonlSource
from headrace.ingest.sources.npy import NpySource
from headrace.ingest.sources.open import open_source
from headrace.ingest.sources.parquet import ParquetSource
from headrace.model.errors import Invalid

KINDS = {
    "parquet": ParquetSource,
    "jsonl": JsonlSource,
    "csv": CsvSource,
    "npy": NpySource,
}


@pytest.mark.parametrize("suffix", list(KINDS))
def test_every_format_has_its_reader(tmp_path: Path, suffix: str) -> None:
    path = write(rows_of(5), tmp_path / f"rows.{suffix}")
    source = open_source(path, Options(files=(path,), collection="docs"))
    assert isinstance(source, KINDS[suffix])
    assert source.name == str(path)
    assert source.size == (5 if source.bounded_by_rows else path.stat().st_size)


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    absent, folder = tmp_path / "a.csv", tmp_path / "b.csv"
    folder.mkdir()
    with pytest.raises(Invalid, match="does not exist"):
        open_source(absent, Options(files=(absent,), collection="docs"))
    with pytest.raises(Invalid, match="is no file"):
        open_source(folder, Options(files=(folder,), collection="docs"))
