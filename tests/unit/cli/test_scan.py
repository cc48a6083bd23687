"""`headrace scan`."""

import datetime
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.values.rows import SMALL, small_batch
from support.world.bucket import disk_bucket

from headrace.app import clusterfile
from headrace.cli.scan import OutputFormat, parse_time, scan
from headrace.model.errors import Invalid
from headrace.model.timestamp import compose
from headrace.reader.snapshot import at_timestamp


@pytest.fixture
def data_dir(tmp_path):
    objects = tmp_path / "data" / "store"
    objects.mkdir(parents=True)
    content = clusterfile.ClusterFile(
        supervisor_pid=1,
        etcd="",
        nats="",
        nats_monitor="",
        store=objects.as_uri(),
        front_doors=(),
    )
    clusterfile.write(tmp_path / "data", content)
    bucket = disk_bucket(objects, SMALL)
    bucket.rows(20, (compose(1000), small_batch([1, 2, 3])), (compose(2000), small_batch([4])))
    bucket.deletes((compose(2000), [2]))
    bucket.publish()
    return tmp_path / "data"


def shown(name: str = "docs", **options) -> str:
    output = io.BytesIO()
    scan(name, output=output, **options)
    return output.getvalue().decode()


def test_rows_are_printed_as_json_lines(data_dir):
    lines = shown(data_dir=data_dir, format=OutputFormat.JSONL).splitlines()
    assert [json.loads(line)["id"] for line in lines] == [1, 3, 4]


def test_the_store_is_named_by_its_uri_or_path_too(data_dir):
    objects = data_dir / "store"
    for store in (str(objects), objects.as_uri()):
        assert shown(store=store, format=OutputFormat.COUNT) == "3\n"


def test_the_store_is_that_of_the_default_directory_unless_one_is_named(data_dir, monkeypatch):
    monkeypatch.chdir(data_dir.parent)
    with pytest.raises(Invalid, match="headrace-data holds no cluster"):
        shown()
    (data_dir.parent / "headrace-data").symlink_to(data_dir)
    assert shown(format=OutputFormat.COUNT) == "3\n"


def test_a_table_of_a_collection_without_files_says_that_nothing_is_stored_yet(tmp_path):
    bucket = disk_bucket(tmp_path, SMALL)
    bucket.publish()
    assert "nothing is stored yet: flush it" in shown(store=str(tmp_path))


def test_a_time_shows_what_was_there_then(data_dir):
    for at in ("1970-01-01T00:00:01Z", str(compose(1000))):
        assert shown(data_dir=data_dir, format=OutputFormat.COUNT, at=at) == "3\n"
        lines = shown(data_dir=data_dir, format=OutputFormat.JSONL, at=at).splitlines()
        assert [json.loads(line)["id"] for line in lines] == [1, 2, 3]


def test_a_limit_holds_for_every_form(data_dir, tmp_path):
    options = {"data_dir": data_dir, "limit": 2}
    assert shown(format=OutputFormat.COUNT, **options) == "2\n"
    assert len(shown(format=OutputFormat.JSONL, **options).splitlines()) == 2
    assert "2 of 3 rows" in shown(format=OutputFormat.TABLE, **options)
    shown(format=OutputFormat.PARQUET, out=tmp_path, **options)
    assert pq.read_table(tmp_path / "docs.parquet").num_rows == 2


def test_a_table_shows_columns_cut_vectors_and_how_many_rows_there_are(data_dir):
    text = shown(data_dir=data_dir)
    assert "embedding" in text
    assert "… 4]" in text
    assert "3 of 3 rows at 1970-01-01T00:00:02.000+00:00" in text


def test_rows_are_written_as_parquet_and_as_lines_and_nothing_is_overwritten(data_dir, tmp_path):
    out = tmp_path / "new" / "folder"
    for form in (OutputFormat.PARQUET, OutputFormat.JSONL):
        shown(data_dir=data_dir, format=form, out=out)
        with pytest.raises(Invalid, match="exists already"):
            shown(data_dir=data_dir, format=form, out=out)
    assert pq.read_table(out / "docs.parquet")["id"].to_pylist() == [1, 3, 4]
    assert len((out / "docs.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"data_dir": "x", "store": "y"}, "by --data-dir or by --store, not by both"),
        ({"store": "x", "limit": -1}, "not negative"),
        ({"store": "x", "format": "csv"}, "formats are table, jsonl, parquet, count"),
        ({"data_dir": Path("/nothing")}, "/nothing holds no cluster"),
        ({"store": "x", "format": OutputFormat.PARQUET}, "needs --out"),
        ({"store": "x", "format": OutputFormat.COUNT, "out": "x"}, "--out goes with"),
        ({"store": "/nothing", "at": "yesterday"}, "a time is spelt"),
        ({"store": "/nothing"}, "no object directory at /nothing"),
    ],
)
def test_options_that_are_wrong_are_named(options, sentence):
    with pytest.raises(Invalid, match=sentence):
        shown(**options)


def test_a_time_without_a_zone_is_local():
    moment = parse_time("2026-11-23T15:04:05")
    assert isinstance(moment, datetime.datetime)
    assert at_timestamp(moment) == at_timestamp(moment.astimezone())
    assert parse_time("12") == 12
    assert parse_time(None) is None


def test_text_that_would_command_a_terminal_is_shown_as_blanks(tmp_path):
    bucket = disk_bucket(tmp_path, SMALL)
    batch = small_batch([1])
    texts = pa.array(["\x1b[2J\rred"])
    bucket.rows(20, (5, batch.set_column(2, "text", texts)))
    bucket.publish()
    assert "\x1b" not in shown(store=str(tmp_path))


COMPLETE = "'docs' as it was at 1970-01-01T00:00:02.000+00:00: flush brings what came later"


@pytest.mark.parametrize("form", list(OutputFormat))
def test_every_form_says_on_stderr_up_to_when_it_is_complete(data_dir, tmp_path, form, capsys):
    out = tmp_path / "out" if form == OutputFormat.PARQUET else None
    shown(data_dir=data_dir, format=form, out=out)
    assert capsys.readouterr().err.splitlines() == [COMPLETE]
    shown(data_dir=data_dir, format=OutputFormat.COUNT, at="1970-01-01T00:00:01Z")
    assert "flush" not in capsys.readouterr().err


def test_a_count_of_nothing_says_that_nothing_is_stored_yet(tmp_path, capsys):
    disk_bucket(tmp_path, SMALL).publish()
    assert shown(store=str(tmp_path), format=OutputFormat.COUNT) == "0\n"
    assert "nothing of 'docs' is stored yet: flush" in capsys.readouterr().err


@pytest.mark.parametrize("form", [OutputFormat.PARQUET, OutputFormat.JSONL])
def test_a_place_for_files_that_cannot_be_is_named(data_dir, tmp_path, form):
    (tmp_path / "docs.csv").write_text("")
    for out in ("/dev/null/x", tmp_path / "docs.csv"):
        with pytest.raises(Invalid, match=f"--out {out}: something in this path is a file"):
            shown(data_dir=data_dir, format=form, out=Path(out))
    with pytest.raises(Invalid, match="--out /proc"):
        shown(data_dir=data_dir, format=form, out=Path("/proc"))


PIPED = """
import sys
from headrace.app import clusterfile
from headrace.cli.scan import OutputFormat, scan
scan("docs", store=sys.argv[1], format=OutputFormat.JSONL)
"""


def test_whoever_closes_the_pipe_early_causes_no_error(data_dir):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", PIPED, str(data_dir / "store")],
        stdout=write,
        stderr=subprocess.PIPE,
        timeout=60,
    )
    os.close(write)
    assert done.returncode == 0
    assert done.stderr.decode().splitlines() == [COMPLETE]
