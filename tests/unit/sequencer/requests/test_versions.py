"""Versions: rows of an older one are stale, of a later one wait."""

from dataclasses import replace

from support.players.sequencer import (
    Script,
    collection,
    ddl,
    entries_of,
    of,
    opened,
    part,
    rows_of,
    sent,
    view,
)

from headrace.model.entry import Ddl, DdlKind
from headrace.model.errors import Conflict
from headrace.sequencer.effects import Append


def test_rows_of_an_older_version_are_stale_once_the_ddl_stands() -> None:
    script = opened()
    call, effects = script.ddl(collection(2, noted=1), ddl(2, DdlKind.RENAME))
    [append] = of(Append, effects)
    rows, effects = script.append(part("a"))
    assert script.answers(rows) == [] and of(Append, effects) == []
    script.stands(append)
    assert (script.answers(rows)[0].outcome, script.answers(rows)[0].version) == ("stale", 2)
    assert [p.position.message_id for p in script.answers(call)[0].positions] == [7, 7]


def test_rows_of_a_version_to_come_wait_for_it() -> None:
    script = opened()
    rows, effects = script.append(part("a", version=2))
    assert of(Append, effects) == []
    _, effects = script.ddl(collection(2, noted=1), ddl(2, DdlKind.ALTER))
    [append] = of(Append, script.stands(of(Append, effects)[0]))
    script.stands(append)
    assert script.answers(rows)[0].outcome == "done"


def test_rows_of_an_unknown_collection_wait_for_it_to_their_deadline() -> None:
    script = opened()
    never, _ = script.append(part("n", vchannel="dml-0_8v0", collection_id=8, deadline_ms=1000))
    waits, _ = script.append(part("w", vchannel="dml-0_9v0", collection_id=9))
    script.wait(1.5)
    assert script.answers(never)[0].outcome == "refused"
    record = replace(collection(1, noted=0), id=9, vchannels=("dml-0_9v0", "dml-1_9v1"))
    call, effects = script.ddl(record, replace(ddl(1), collection_id=9))
    [append] = of(Append, effects)
    assert [e.vchannel for e in entries_of(append) if isinstance(e, Ddl)] == ["dml-0_9v0"]
    [rows] = of(Append, script.stands(append))
    script.stands(rows)
    assert script.answers(waits)[0].outcome == "done"
    assert [p.vchannel for p in script.answers(call)[0].positions] == ["dml-0_9v0"]


def test_a_ddl_asked_for_twice_is_appended_once_and_both_are_answered() -> None:
    script = opened()
    first, effects = script.ddl(collection(2, noted=1), ddl(2, DdlKind.RENAME))
    second, more = script.ddl(collection(2, noted=1), ddl(2, DdlKind.RENAME))
    assert of(Append, more) == []
    script.stands(of(Append, effects)[0])
    assert script.answers(first) == script.answers(second) != []
    third, more = script.ddl(collection(2, noted=1), ddl(2, DdlKind.RENAME))
    assert of(Append, more) == [] and script.answers(third) == script.answers(first)


def test_a_ddl_below_the_present_version_is_a_conflict() -> None:
    script = Script()
    script.open(view(collection(3)))
    call, _ = script.ddl(collection(2, noted=1), ddl(2, DdlKind.RENAME))
    assert isinstance(script.answers(call)[0], Conflict)


def test_rows_of_other_collections_go_with_a_ddl() -> None:
    script = Script()
    other = replace(collection(), id=8, vchannels=("dml-0_8v0",))
    seen = view()
    seen = replace(seen, vchannels=(*seen.vchannels, *view(other).vchannels))
    script.open(seen)
    _, flying = sent(script, "a")
    script.ddl(collection(2, noted=1), ddl(2, DdlKind.RENAME))
    script.append(part("mine"))
    script.append(part("theirs", vchannel="dml-0_8v0", collection_id=8))
    [group] = of(Append, script.stands(flying))
    assert [r.part_id for r in rows_of(group)] == [part("theirs").part_id]
