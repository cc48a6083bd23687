"""`headrace ingest` as it is typed: one sentence at the end, exit statuses, where rows go."""

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.processes.ingesting import rows_of, write
from support.world.open_door import OpenDoor, open_door

from headrace.app import clusterfile
from headrace.cli.ingest import form_of, front_door, store_of
from headrace.cli.main import main
from headrace.ingest.lookup import Store
from headrace.ingest.options import DEFAULT_URI, Format
from headrace.model.errors import Invalid


@pytest.fixture(scope="module")
def door() -> Iterator[OpenDoor]:
    with open_door() as door:
        yield door


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def typed(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """The exit status of the command."""
    monkeypatch.setattr(sys, "argv", ["headrace", "ingest", *words])
    monkeypatch.setattr("headrace.cli.main._leave", sys.exit)
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


MADE = ("--create", "--key", "id")


def test_rows_stand_and_it_says_so(
    door: OpenDoor,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(rows_of(10), here / "rows.csv")
    words = ("rows.csv", "--collection", "said", "--uri", door.uri, *MADE)
    assert typed(monkeypatch, *words) == 0
    told = capsys.readouterr()
    assert told.out.startswith("10 rows of rows.csv stand in 'said'\n10 rows, ")
    assert " kB in " in told.out and "kB/s" in told.out
    assert told.err == ""
    assert (here / "rows.csv.into-said.journal").is_file()
    assert typed(monkeypatch, *words) == 0
    told = capsys.readouterr()
    assert "was ingested before" in told.err
    assert told.out == "10 rows of rows.csv stand in 'said'\n"


def test_what_comes_in_has_its_journal_in_the_working_directory(
    door: OpenDoor, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = write(rows_of(10), here / "rows.jsonl").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert typed(monkeypatch, "-", "--collection", "piped", "--uri", door.uri, *MADE) == 0
    assert (here / "standard-input.into-piped.journal").is_file()


def test_a_row_that_does_not_fit_is_status_1_or_set_aside(
    door: OpenDoor,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (here / "rows.jsonl").write_text('{"id":1,"v":[1.5,2]}\n{"id":null,"v":[1.5,2]}\n{"id":3}\n')
    words = ("rows.jsonl", "--collection", "bad", "--uri", door.uri, *MADE, "--vector", "v")
    assert typed(monkeypatch, *words) == 1
    told = capsys.readouterr().err
    assert told.startswith("headrace: rows.jsonl, row 2, column 'id': the primary key is missing; ")
    assert typed(monkeypatch, *words, "--skip-bad", "bad.jsonl") == 0
    out = capsys.readouterr().out
    assert out.startswith("1 rows of rows.jsonl (2 more are set aside in bad.jsonl) stand in 'bad'")
    assert len((here / "bad.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("absent.csv",), "absent.csv does not exist"),
        (("rows.csv", "--format", "xml"), "--format xml: the formats are parquet, jsonl, csv, npy"),
        (("rows.csv",), "collection 'none' does not exist: make it first, or with --create"),
        (("rows.csv", *MADE, "--columns", "x"), "rows.csv has no column 'x'; it has id, text,"),
        (("rows.csv", *MADE, "--skip-bad", "rows.csv"), "rows.csv: the file exists already"),
    ],
)
def test_a_wrong_call_is_one_line_and_status_2(
    door: OpenDoor,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    said: str,
) -> None:
    write(rows_of(3), here / "rows.csv")
    collection = "none" if "--create" not in words else "some"
    assert typed(monkeypatch, *words, "--collection", collection, "--uri", door.uri) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.startswith("headrace: ")
    assert told.count("\n") == 1


def test_the_format_is_one_of_four() -> None:
    assert form_of(None) is None
    assert form_of("csv") == Format.CSV
    with pytest.raises(Invalid):
        form_of("")


def test_rows_go_to_the_cluster_of_a_directory(here: Path) -> None:
    content = clusterfile.ClusterFile(
        supervisor_pid=1,
        etcd="",
        nats="",
        nats_monitor="",
        store="file:///somewhere",
        front_doors=("127.0.0.1:1234", "127.0.0.1:1235"),
    )
    directory = here / "headrace-data"
    directory.mkdir()
    clusterfile.write(directory, content)
    there = Store("file:///somewhere")
    assert front_door(None, None) == DEFAULT_URI
    assert front_door("http://x:1", directory) == "http://x:1"
    assert front_door(None, directory) == "http://127.0.0.1:1234"
    assert store_of("http://x:1", directory, None) == there
    assert store_of("http://127.0.0.1:1235", None, None) == there
    assert store_of("http://127.0.0.1:9", None, None) is None
    assert store_of("http://127.0.0.1:9", None, "file:///other") == Store("file:///other")
    with pytest.raises(Invalid, match="not by both"):
        store_of("http://x:1", directory, "file:///other")


def test_a_wrong_key_makes_no_collection(
    door: OpenDoor,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [{"id": n, "other": n if n > 1 else None, "v": [1.5, 2]} for n in range(1, 9)]
    lines = [json.dumps(row) for row in rows]
    (here / "rows.jsonl").write_text("\n".join(lines))
    words = ("rows.jsonl", "--collection", "keyed", "--uri", door.uri)
    assert typed(monkeypatch, *words, "--create", "--key", "other") == 1
    assert "row 1, column 'other': the primary key is missing" in capsys.readouterr().err
    assert typed(monkeypatch, *words) == 2
    assert "collection 'keyed' does not exist" in capsys.readouterr().err
    assert typed(monkeypatch, *words, *MADE) == 0


def test_a_journal_of_a_dropped_collection_makes_no_new_one(
    door: OpenDoor,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(rows_of(3), here / "rows.csv")
    (here / "rows.csv.into-gone.journal").write_text('{"ingest":1}\n')
    words = ("rows.csv", "--collection", "gone", "--uri", door.uri)
    assert typed(monkeypatch, *words, *MADE) == 2
    assert "is about a collection 'gone' that is not there any more" in capsys.readouterr().err
    assert typed(monkeypatch, *words) == 2
    assert "collection 'gone' does not exist" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("bad", "column"),
    [
        ({"v": [1.5]}, "v"),
        ({"v": "text"}, "v"),
        ({"v": None}, "v"),
        ({"id": 2**64}, "id"),
        ({"id": "x"}, "id"),
    ],
)
@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_one_bad_row_among_the_first_is_named_or_set_aside(
    door: OpenDoor,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    bad: dict[str, Any],
    column: str,
    form: str,
) -> None:
    rows = [{"id": n, "v": [0.5, n], **(bad if n == 2 else {})} for n in range(1, 6)]
    lines = [json.dumps(row) for row in rows]
    if form == "csv":
        cells = [
            (r["id"], r["v"] if type(r["v"]) is not list else json.dumps(r["v"])) for r in rows
        ]
        lines = ["id,v", *(f'{i},"{v}"' if v is not None else f"{i}," for i, v in cells)]
    (here / f"rows.{form}").write_text("\n".join(lines))
    name = f"few_{form}_{column}_{abs(hash(str(bad)))}"
    words = (f"rows.{form}", "--collection", name, "--uri", door.uri, *MADE)
    assert typed(monkeypatch, *words) == 1
    assert f"rows.{form}, row 2, column '{column}': " in capsys.readouterr().err
    assert typed(monkeypatch, *words, "--skip-bad", "bad.jsonl") == 0
    assert capsys.readouterr().out.startswith(f"4 rows of rows.{form} (1 more are set aside in")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"id,t,v\n", "rows.csv has no rows to make a collection from"),
        (
            b'id,t,v\n1,a,"[1.5,2]"\n2,caf\xe9,"[1.5,2]"\n',
            "rows.csv, line 3: the text is not UTF-8",
        ),
    ],
)
def test_a_csv_that_makes_no_collection_says_why(
    door: OpenDoor,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: bytes,
    said: str,
) -> None:
    (here / "rows.csv").write_bytes(text)
    assert typed(monkeypatch, "rows.csv", "--collection", "no", "--uri", door.uri, *MADE) == 2
    assert said in capsys.readouterr().err
