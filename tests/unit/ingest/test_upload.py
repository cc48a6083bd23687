"""A source into a collection through a real front door: journaled, repeated, looked up, stopped."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest
from support.processes.ingesting import journal_of, lines_of, rows_of, write
from support.values.rows import SMALL as OTHER_SCHEMA
from support.world.bucket import COLLECTION, disk_bucket
from support.world.open_door import OpenDoor, open_door
from support.world.proxy import simple_schema

from headrace.binlog.columns import arrow_schema
from headrace.ingest.batches import Limits
from headrace.ingest.faults import BadRow
from headrace.ingest.lookup import Store
from headrace.ingest.options import Options
from headrace.ingest.resume.journal import UploadJournal
from headrace.ingest.run import Ingest, SourceResult
from headrace.ingest.sources.source import RowSource
from headrace.ingest.upload import Listener
from headrace.model.errors import Invalid, NotFound, Unavailable
from headrace.model.refusals import Refusal
from headrace.model.timestamp import LOGICAL_MASK, compose
from headrace.rpc.messages import AppendResponse
from headrace.runtime.host import real_host

ROWS = 100
SMALL = Limits(size_bytes=1_000, rows=1000)  # about ten rows


@dataclass
class Heard(Listener):
    """Keeps what it is told; `on_batch` is called with each acknowledgement."""

    told: list[str] = field(default_factory=list)
    rows: int = 0
    on_batch: Callable[[int], None] = lambda rows: None

    def began(self, source: RowSource, journal: UploadJournal) -> None:
        return

    def acknowledged(self, rows: int, size_bytes: int, position: int) -> None:
        self.rows += rows
        self.on_batch(self.rows)

    def note(self, text: str) -> None:
        self.told.append(text)


@pytest.fixture
def door() -> Iterator[OpenDoor]:
    with open_door() as door:
        yield door


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(rows_of(ROWS), tmp_path / "rows.parquet")


def options_of(door: OpenDoor, path: Path, **more: Any) -> Options:
    values: dict[str, Any] = {
        "files": (path,),
        "collection": "docs",
        "uri": door.uri,
        "create": True,
        "key": "id",
        "limits": SMALL,
        "in_flight": 2,
        "retry_s": 20.0,
    }
    return Options(**{**values, **more})


def run(options: Options, heard: Heard | None = None) -> list[SourceResult]:
    """The ingest to its end."""
    return asyncio.run(Ingest(options, real_host(), heard or Heard()).run())


def stored(door: OpenDoor, collection: str = "docs") -> list[dict[str, Any]]:
    """What the sequencer was given, by key."""
    world = door.world
    (record,) = [r for r in world.collections() if r.name == collection]
    return sorted(world.sequencer.rows(record.id), key=lambda row: int(row["id"]))


def ids(door: OpenDoor) -> list[int]:
    return [row["id"] for row in stored(door)]


def forget(journal: Path, *words: str) -> None:
    """Take the lines that have one of these words out of a journal."""
    kept = [line for line in lines_of(journal) if not line.keys() & set(words)]
    journal.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in kept))


def test_every_row_stands_once_and_the_journal_says_so(door: OpenDoor, path: Path) -> None:
    heard = Heard()
    (done,) = run(options_of(door, path), heard)
    assert (done.rows, done.rows_sent, done.whole) == (ROWS, ROWS, True)
    assert heard.rows == ROWS
    rows = stored(door)
    wanted = rows_of(ROWS).to_pylist()
    assert [r["id"] for r in rows] == [r["id"] for r in wanted]
    assert [r["vector"] for r in rows] == [r["vector"] for r in wanted]
    assert [r["tags"] for r in rows] == [r["tags"] for r in wanted]
    assert [orjson.loads(r["about"]) for r in rows] == [r["about"] for r in wanted]
    lines = lines_of(journal_of(path, "docs"))
    assert lines[-1] == {"finished": ROWS}
    batches = [line for line in lines if "batch" in line]
    assert len(batches) > 5
    assert sum(int(str(line["rows"])) for line in batches) == ROWS


def test_a_second_run_sends_nothing(door: OpenDoor, path: Path) -> None:
    run(options_of(door, path))
    before = len(door.calls)
    heard = Heard()
    (done,) = run(options_of(door, path), heard)
    assert (done.rows, done.rows_sent) == (ROWS, 0)
    assert "was ingested before" in heard.told[0]
    assert "Insert" not in door.calls[before:]


def test_several_files_go_one_after_the_other_each_with_its_journal(
    door: OpenDoor, tmp_path: Path
) -> None:
    first = write(rows_of(ROWS), tmp_path / "first.parquet")
    second = write(rows_of(ROWS, first=ROWS), tmp_path / "second.jsonl")
    options = options_of(door, first, files=(first, second))
    heard = Heard()
    ingest = Ingest(options, real_host(), heard)
    heard.on_batch = lambda rows: ingest.stop() if rows >= ROWS + 30 else None
    done = asyncio.run(ingest.run())
    assert [d.whole for d in done] == [True, False]
    done = run(options)
    assert [(d.whole, d.rows) for d in done] == [(True, ROWS), (True, ROWS)]
    assert done[0].rows_sent == 0
    assert ids(door) == list(range(2 * ROWS))


def test_lost_acknowledgements_cost_repetitions_and_no_rows(door: OpenDoor, path: Path) -> None:
    run(options_of(door, path))
    forget(journal_of(path, "docs"), "done", "finished")
    (done,) = run(options_of(door, path))
    assert (done.rows, done.rows_sent) == (ROWS, ROWS)
    assert ids(door) == list(range(ROWS))


@pytest.mark.parametrize("kept", [1, 2, 5, 9])
def test_it_goes_on_after_any_line_with_other_limits(door: OpenDoor, path: Path, kept: int) -> None:
    """What was written down keeps its cut; rows after it are new only if they never stood."""
    run(options_of(door, path))
    journal = journal_of(path, "docs")
    written = [line for line in lines_of(journal) if "batch" in line][-1]
    forget(journal, "done", "finished")
    lines = lines_of(journal)[: kept + 1]
    assert written not in lines
    door.world.sequencer.stored.clear()
    journal.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    run(options_of(door, path, limits=Limits(size_bytes=3_333)))
    assert ids(door) == list(range(ROWS))
    assert [x for x in lines_of(journal) if "batch" in x][:kept] == lines[1:]


def test_answers_that_may_be_repeated_are_repeated(door: OpenDoor, path: Path) -> None:
    heard = Heard()
    failing = iter([True] * 3)
    answer = door.world.assembly.methods.answer

    async def sometimes(data: bytes, call: Any) -> bytes:
        if call.method == "Insert" and next(failing, False):
            raise Refusal.BROKEN()
        return await answer(data, call)

    door.world.assembly.methods.answer = sometimes  # type: ignore[method-assign]
    run(options_of(door, path), heard)
    assert ids(door) == list(range(ROWS))
    assert any("waiting for the server" in text for text in heard.told)


def test_a_server_that_does_nothing_is_given_up(door: OpenDoor, path: Path) -> None:
    async def never(data: bytes, call: Any) -> bytes:
        if call.method == "Insert":
            raise Refusal.BROKEN()
        return await answer(data, call)

    answer = door.world.assembly.methods.answer
    door.world.assembly.methods.answer = never  # type: ignore[method-assign]
    with pytest.raises(Unavailable, match="the same command goes on from there"):
        run(options_of(door, path, retry_s=0.5))


def test_a_row_that_does_not_fit_stops_it_by_name(door: OpenDoor, tmp_path: Path) -> None:
    path = write(with_bad_rows(), tmp_path / "rows.parquet")
    words = r"rows\.parquet, row 51, column 'vector': a vector of dim 1, but the field has dim 16"
    with pytest.raises(BadRow, match=words):
        run(options_of(door, path, vectors=("vector",)))
    assert "docs" not in {r.name for r in door.world.collections()}  # seen before it was made


def test_rows_that_do_not_fit_are_set_rejects_once(door: OpenDoor, tmp_path: Path) -> None:
    path = write(with_bad_rows(), tmp_path / "rows.parquet")
    rejects = tmp_path / "bad.jsonl"
    options = options_of(door, path, skip_bad=rejects, vectors=("vector",))
    (done,) = run(options)
    assert (done.rows, done.rejected) == (ROWS - 2, 2)
    assert ids(door) == [i for i in range(ROWS) if i not in (50, 90)]
    lines = [orjson.loads(line) for line in rejects.read_bytes().splitlines()]
    assert [(line["row"], line["column"]) for line in lines] == [(51, "vector"), (91, "vector")]
    assert lines[0]["data"]["id"] == 50
    assert lines[0]["file"] == str(path)
    rejects.write_bytes(rejects.read_bytes() + b"a line for a batch that was not written down\n")
    journal = journal_of(path, "docs")
    forget(journal, "finished")
    run(options)
    assert [orjson.loads(line) for line in rejects.read_bytes().splitlines()] == lines
    with pytest.raises(Invalid, match="the file exists already"):
        run(replace(options, collection="other"))


def with_bad_rows() -> pa.Table:
    rows = rows_of(ROWS)
    vectors = rows["vector"].to_pylist()
    vectors[50] = vectors[90] = [1.0]
    column = pa.array(vectors, pa.list_(pa.float32()))
    return rows.set_column(5, "vector", column)


def test_a_file_that_changed_where_it_was_sent_is_refused(door: OpenDoor, path: Path) -> None:
    run(options_of(door, path))
    journal = journal_of(path, "docs")
    forget(journal, "finished")
    changed = rows_of(ROWS).to_pylist()
    changed[30]["text"] = "other"
    write(pa.Table.from_pylist(changed, rows_of(ROWS).schema), path)
    before = len(stored(door))
    with pytest.raises(Invalid, match=r"has changed since its ingest began: rows [\d,]+ to"):
        run(options_of(door, path))
    write(rows_of(20), path)
    with pytest.raises(Invalid, match="has changed"):
        run(options_of(door, path))
    assert len(stored(door)) == before


def test_a_file_that_only_grew_is_gone_on_with(door: OpenDoor, path: Path) -> None:
    run(options_of(door, path))
    write(rows_of(ROWS), path)  # rewritten, so its time is another
    rows = pa.concat_tables([rows_of(ROWS), rows_of(30, first=ROWS)])
    write(rows, path)
    (done,) = run(options_of(door, path))
    assert (done.rows, done.rows_sent) == (ROWS + 30, 30)
    assert ids(door) == list(range(ROWS + 30))


def test_a_collection_made_anew_is_another(door: OpenDoor, path: Path) -> None:
    run(options_of(door, path))
    (record,) = door.world.collections()
    door.do(door.world.put(replace(record, created=record.created + 1)))
    with pytest.raises(Invalid, match="another than the one"):
        run(options_of(door, path))


def test_it_stops_when_asked_and_goes_on_later(door: OpenDoor, path: Path) -> None:
    heard = Heard()
    ingest = Ingest(options_of(door, path), real_host(), heard)
    heard.on_batch = lambda rows: ingest.stop() if rows >= 30 else None
    (done,) = asyncio.run(ingest.run())
    assert not done.whole
    assert 30 <= done.rows < ROWS
    (done,) = run(options_of(door, path))
    assert done.whole
    assert ids(door) == list(range(ROWS))


def test_no_collection_and_no_server_are_said(door: OpenDoor, path: Path) -> None:
    with pytest.raises(Invalid, match=r"'docs' does not exist.*--create --key COLUMN"):
        run(options_of(door, path, create=False, key=None))


UNKNOWN = AppendResponse(outcome="unknown")


def test_a_batch_that_nobody_can_tell_of_needs_a_store(door: OpenDoor, path: Path) -> None:
    door.world.sequencer.outcomes = [UNKNOWN]
    with pytest.raises(Invalid, match="name their store with --store URI or --data-dir DIR"):
        run(options_of(door, path, in_flight=1))


def test_into_made_keys_it_asks_for_a_column(door: OpenDoor, path: Path, tmp_path: Path) -> None:
    door.do(door.world.create("auto", automatic_schema()))
    options = options_of(
        door, path, collection="auto", create=False, key=None, columns=("text", "vector")
    )
    heard = Heard()
    door.world.sequencer.outcomes = [UNKNOWN]
    with pytest.raises(Invalid, match=r"name a column .* with --key-column"):
        run(replace(options, store=Store(str(tmp_path)), in_flight=1), heard)
    assert "for 10 minutes only" in heard.told[0]
    with pytest.raises(Invalid, match="--key-column vector: it must be a field of whole numbers"):
        run(replace(options, key_column="vector"))


def automatic_schema() -> Any:
    schema = simple_schema(auto=True, dim=16)
    schema.fields[1].name = "vector"
    item = schema.fields.add(name="text", data_type=21)
    item.type_params.add(key="max_length", value="99")
    return schema


def test_a_store_of_another_collection_is_not_believed(
    door: OpenDoor, path: Path, tmp_path: Path
) -> None:
    (tmp_path / "store").mkdir()
    disk_bucket(tmp_path / "store", OTHER_SCHEMA).publish()
    door.world.sequencer.outcomes = [UNKNOWN]
    with pytest.raises(NotFound, match="there is no collection"):
        run(options_of(door, path, in_flight=1, store=Store(str(tmp_path / "store"))))


def test_a_server_that_refuses_a_batch_is_quoted_with_its_rows(door: OpenDoor, path: Path) -> None:
    door.world.sequencer.outcomes = [Invalid("something is wrong")]
    with pytest.raises(Invalid, match=r"rows 1 to \d+ were refused: something is wrong"):
        run(options_of(door, path, in_flight=1))
    door.world.sequencer.outcomes = [Invalid("field 'x', row 3: wrong")]
    words = r"rows\.parquet, row 4, was refused as row 3 of its request: field 'x', row 3: wrong"
    with pytest.raises(Invalid, match=words):
        run(options_of(door, path, in_flight=1))


def test_of_a_batch_that_nobody_can_tell_of_absent_rows_alone_are_sent(
    door: OpenDoor, tmp_path: Path
) -> None:
    """And a kill after that is gone on with: the same rows, under the same new key."""
    rows = rows_of(40, dim=4).select(["id", "vector"]).rename_columns(["id", "v"])
    path = write(rows, tmp_path / "rows.parquet")
    door.world.master_service.next_id = COLLECTION
    record = door.do(door.world.create("docs", simple_schema(dim=4)))
    store = tmp_path / "store"
    store.mkdir()
    bucket = disk_bucket(store, record.schema)
    there = [3, 4, 7, 9, 30]
    stored_rows = rows.take(pa.array(there)).combine_chunks().to_batches()[0]
    batch = pa.RecordBatch.from_arrays(stored_rows.columns, schema=arrow_schema(record.schema))
    bucket.rows(20, (compose(1 << 42), batch))
    bucket.publish(timestamp=compose(1 << 42, LOGICAL_MASK))
    heard = Heard()
    options = options_of(
        door, path, create=False, key=None, store=Store(str(store)), limits=Limits(), in_flight=1
    )
    door.world.sequencer.outcomes = [UNKNOWN]
    run(options, heard)
    assert ids(door) == [i for i in range(40) if i not in there]
    assert "5 of them stand, 35 do not" in heard.told
    journal = journal_of(path, "docs")
    *_, last = [line for line in lines_of(journal) if "batch" in line]
    assert (last["attempt"], last["count"]) == (1, 35)
    assert last["runs"] == [[0, 3], [5, 7], [8, 9], [10, 30], [31, 40]]
    forget(journal, "done", "finished")
    (done,) = run(options)
    assert done.whole
    assert ids(door) == [i for i in range(40) if i not in there]
    forget(journal, "done", "finished")
    bucket.rows(
        21,
        (
            compose(1 << 42, 1),
            pa.RecordBatch.from_arrays(
                rows.combine_chunks().to_batches()[0].columns, schema=arrow_schema(record.schema)
            ),
        ),
    )
    bucket.publish(timestamp=compose(1 << 42, LOGICAL_MASK))
    door.world.sequencer.outcomes = [UNKNOWN]
    heard = Heard()
    run(options, heard)
    assert "35 of them stand, 0 do not" in heard.told
    assert ids(door) == [i for i in range(40) if i not in there]
