"""The machine of a leading master service: lists of events and what is ordered because of each."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from headrace.masterservice.effects import (
    Answer,
    Effect,
    MoveMark,
    RecordCollection,
    Refuse,
    SetClientState,
    StandDown,
    StoreNames,
    SweepTombstones,
    TellClockJump,
    WakeAt,
    WriteSequencer,
)
from headrace.masterservice.events import (
    ClientStateSet,
    CreateAsked,
    DdlAppended,
    DdlNoted,
    DdlRecorded,
    DropAsked,
    Event,
    GrantAsked,
    IdsAsked,
    LeadershipBegan,
    LeadershipLost,
    Mark,
    MarkFailed,
    MarkMoved,
    NamesStored,
    ProxiesListed,
    SequencerStood,
    SetClientStateAsked,
    TimePassed,
    TimestampAsked,
    TombstonesSwept,
)
from headrace.masterservice.machine import Loaded, MasterMachine
from headrace.masterservice.settings import MasterServiceSettings
from headrace.meta.records import Role, SessionRecord, SessionState
from headrace.model.channel import Position
from headrace.model.errors import Invalid, NotFound, Unavailable
from headrace.model.schema import DataType, Field, Schema
from headrace.model.timestamp import compose
from headrace.rpc.messages import (
    AllocIdsRequest,
    AllocIdsResponse,
    AllocTimestampResponse,
    CreateCollectionRequest,
    Done,
    DropCollectionRequest,
    GrantRequest,
    GrantResponse,
    SetClientStateRequest,
)

WALL_MS = 1_700_000_000_000
SCHEMA = Schema(fields=(Field(id=100, name="id", type=DataType.INT64, primary=True),))
POOL = ("p-0", "p-1")


class Script:
    """A machine with its effects so far; `validate` runs after every step."""

    def __init__(self, **changes: Any) -> None:
        self.settings = MasterServiceSettings(pchannels=2, **{"id_window": 1000, **changes})
        loaded = Loaded(pchannels=POOL, revision=40, wall_ms=WALL_MS, now=0.0)
        self.machine = MasterMachine(loaded, self.settings)
        self.now = 0.0

    def step(self, event: Event) -> Sequence[Effect]:
        effects = self.machine.step(event, self.now)
        self.machine.validate()
        return effects

    def begin(self) -> None:
        """Led, both marks stand, proxy 1 sequences everything."""
        for effect in self.step(LeadershipBegan()):
            if isinstance(effect, MoveMark):
                self.step(MarkMoved(effect.mark, effect.value))
        self.step(NamesStored(40))
        proxy = SessionRecord(
            role=Role.PROXY,
            node_name="proxy-1",
            server_id=1,
            address="host:1",
            state=SessionState.HEALTHY,
        )
        for effect in self.step(ProxiesListed((proxy,))):
            if isinstance(effect, WriteSequencer):
                self.step(SequencerStood(effect.pchannel, effect.record, 50))

    def grant(self, server_id: int = 1, count: int = 4000, **changes: Any) -> Sequence[Effect]:
        asked = GrantAsked(
            call=1,
            request=GrantRequest(server_id=server_id, count=count, pchannels=POOL),
            wall_ms=WALL_MS + int(self.now * 1000),
            leads_until=self.now + 4,
        )
        return self.step(replace(asked, **changes))


def test_a_leadership_begins_with_marks_and_a_list_of_names() -> None:
    effects = Script().step(LeadershipBegan())
    assert StoreNames(40) in effects
    assert [e.mark for e in effects if isinstance(e, MoveMark)] == [Mark.TIMESTAMPS, Mark.IDS]
    assert any(isinstance(e, WakeAt) for e in effects)


def test_a_grant_is_answered_from_memory_for_the_pchannels_of_the_asker() -> None:
    script = Script()
    script.begin()
    response = GrantResponse(first=compose(WALL_MS), count=4000, pchannels=POOL)
    assert script.grant() == [Answer(1, response)]


def test_who_is_not_wanted_gets_no_timestamps() -> None:
    script = Script()
    script.begin()
    (answer,) = script.grant(server_id=2)
    assert isinstance(answer, Answer)
    assert (answer.response.count, answer.response.pchannels) == (0, ())


def test_a_grant_is_never_larger_than_the_setting() -> None:
    script = Script(grant_max=100)
    script.begin()
    (answer,) = script.grant(count=5000)
    assert isinstance(answer, Answer) and answer.response.count == 100


@pytest.mark.parametrize("event", ["grant", "timestamp"])
def test_no_timestamps_are_given_unless_the_lease_surely_stands(event: str) -> None:
    script = Script()
    script.begin()
    script.now = 10.0
    if event == "grant":
        effects = script.grant(leads_until=10.0)
    else:
        asked = TimestampAsked(call=1, wall_ms=WALL_MS + 10_000, leads_until=9.0)
        effects = script.step(asked)
    (refusal,) = [e for e in effects if isinstance(e, Refuse)]
    assert isinstance(refusal.error, Unavailable)
    assert not any(isinstance(e, Answer) for e in effects)


def test_one_timestamp_is_above_all_that_were_granted_before() -> None:
    script = Script()
    script.begin()
    script.grant(count=100)
    (answer,) = script.step(TimestampAsked(call=2, wall_ms=WALL_MS, leads_until=9.0))
    assert answer == Answer(2, AllocTimestampResponse(compose(WALL_MS) + 100))


def test_requests_wait_for_the_first_mark() -> None:
    script = Script()
    begun = script.step(LeadershipBegan())
    marks = {e.mark: e.value for e in begun if isinstance(e, MoveMark)}
    assert script.step(TimestampAsked(call=2, wall_ms=WALL_MS, leads_until=9.0)) == []
    effects = script.step(MarkMoved(Mark.TIMESTAMPS, marks[Mark.TIMESTAMPS]))
    assert Answer(2, AllocTimestampResponse(compose(WALL_MS))) in effects


def test_a_request_held_beyond_the_lease_is_refused() -> None:
    script = Script()
    begun = script.step(LeadershipBegan())
    marks = {e.mark: e.value for e in begun if isinstance(e, MoveMark)}
    script.step(TimestampAsked(call=2, wall_ms=WALL_MS, leads_until=1.0))
    script.now = 1.5
    effects = script.step(MarkMoved(Mark.TIMESTAMPS, marks[Mark.TIMESTAMPS]))
    assert any(isinstance(e, Refuse) and e.call == 2 for e in effects)


def test_without_an_answer_of_the_meta_store_requests_are_refused_and_it_is_tried_again() -> None:
    script = Script()
    effects = list(script.step(LeadershipBegan()))
    script.step(TimestampAsked(call=2, wall_ms=WALL_MS, leads_until=9.0))
    failed = script.step(MarkFailed(Mark.TIMESTAMPS, "no answer"))
    assert any(isinstance(e, Refuse) and isinstance(e.error, Unavailable) for e in failed)
    assert not any(isinstance(e, MoveMark) for e in failed)
    wake = min(e.when for e in [*effects, *failed] if isinstance(e, WakeAt))
    assert wake <= script.settings.retry_most_s
    script.now = wake
    again = script.step(TimePassed(wake))
    assert [e.mark for e in again if isinstance(e, MoveMark)] == [Mark.TIMESTAMPS]


def test_the_mark_moves_in_the_background_while_grants_go_on() -> None:
    script = Script()
    script.begin()
    script.now = 1.6
    effects = script.grant()
    assert isinstance(effects[0], Answer)
    assert [e.mark for e in effects if isinstance(e, MoveMark)] == [Mark.TIMESTAMPS]


def test_an_alarm_keeps_the_mark_ahead_without_any_request() -> None:
    script = Script()
    pending = list(script.step(LeadershipBegan()))
    moved = 0
    while moved < 10:
        pending.sort(key=lambda e: e.when if isinstance(e, WakeAt) else 0.0)
        effect = pending.pop(0)
        match effect:
            case MoveMark():
                moved += effect.mark is Mark.TIMESTAMPS
                pending += script.step(MarkMoved(effect.mark, effect.value))
            case WakeAt():
                script.now = max(script.now, effect.when)
                pending += script.step(TimePassed(effect.when))
            case _:
                assert isinstance(effect, StoreNames)
        alarms = [e for e in pending if isinstance(e, WakeAt)]
        assert len(alarms) <= 3, "alarms do not pile up"
    assert 10 < script.now < 20


def test_a_jump_of_the_wall_clock_is_told_once() -> None:
    script = Script()
    script.begin()
    first = script.grant(wall_ms=WALL_MS + 3_600_000)
    assert [type(e) for e in first] == [TellClockJump, Answer]
    second = script.grant(wall_ms=WALL_MS + 3_600_000)
    assert [type(e) for e in second] == [Answer]


def test_ids_are_leased_once() -> None:
    script = Script()
    script.begin()
    assert script.step(IdsAsked(3, AllocIdsRequest(100))) == [Answer(3, AllocIdsResponse(1, 100))]
    assert script.step(IdsAsked(4, AllocIdsRequest(100))) == [Answer(4, AllocIdsResponse(101, 100))]


def test_a_lease_larger_than_what_is_left_waits_for_the_mark() -> None:
    script = Script()
    script.begin()
    effects = script.step(IdsAsked(3, AllocIdsRequest(50_000)))
    (move,) = [e for e in effects if isinstance(e, MoveMark)]
    assert script.step(MarkMoved(move.mark, move.value)) == [Answer(3, AllocIdsResponse(1, 50_000))]


@pytest.mark.parametrize("count", [0, -1, (1 << 24) + 1])
def test_a_lease_of_no_ids_or_too_many_is_refused(count: int) -> None:
    script = Script()
    script.begin()
    (refusal,) = script.step(IdsAsked(3, AllocIdsRequest(count)))
    assert isinstance(refusal, Refuse) and isinstance(refusal.error, Invalid)


def create(script: Script) -> int:
    """A collection, whole; its id."""
    effects = script.step(
        CreateAsked(5, CreateCollectionRequest(name="books", schema=SCHEMA, shards=2))
    )
    (record,) = [e.record for e in effects if isinstance(e, RecordCollection)]
    script.step(DdlRecorded(record.id, 1, 60))
    positions = {v: Position("p", 1, 2) for v in record.vchannels}
    script.step(DdlAppended(record.id, 1, positions))
    script.step(DdlNoted(record.id, 1, 61))
    (answer,) = script.step(NamesStored(61))
    assert isinstance(answer, Answer) and answer.call == 5
    return record.id


def drop(script: Script, collection_id: int) -> None:
    script.step(DropAsked(6, DropCollectionRequest("books")))
    script.step(DdlRecorded(collection_id, 2, 70))
    positions = {
        v: Position("p", 3, 4) for v in (f"p-0_{collection_id}v0", f"p-1_{collection_id}v1")
    }
    script.step(DdlAppended(collection_id, 2, positions))
    script.step(DdlNoted(collection_id, 2, 71))
    script.step(NamesStored(71))


def test_a_ddl_that_comes_before_the_marks_waits_for_both() -> None:
    script = Script()
    begun = script.step(LeadershipBegan())
    marks = {e.mark: e.value for e in begun if isinstance(e, MoveMark)}
    asked = CreateAsked(5, CreateCollectionRequest(name="books", schema=SCHEMA, shards=2))
    assert script.step(asked) == []
    assert script.step(MarkMoved(Mark.IDS, marks[Mark.IDS])) == []
    effects = script.step(MarkMoved(Mark.TIMESTAMPS, marks[Mark.TIMESTAMPS]))
    assert any(isinstance(e, RecordCollection) for e in effects)


def test_what_clients_say_is_kept_only_of_collections_that_are_there() -> None:
    script = Script()
    script.begin()
    collection_id = create(script)
    asked = SetClientStateAsked(
        7, SetClientStateRequest(collection_id=collection_id, topic="load", value=b"1")
    )
    assert script.step(asked) == [SetClientState(7, asked.request)]
    assert script.step(ClientStateSet(7, None)) == [Answer(7, Done())]
    (refusal,) = script.step(replace(asked, request=replace(asked.request, topic="")))
    assert isinstance(refusal, Refuse) and isinstance(refusal.error, Invalid)
    drop(script, collection_id)
    (refusal,) = script.step(asked)
    assert isinstance(refusal, Refuse) and isinstance(refusal.error, NotFound)


def test_dropped_collections_are_looked_at_again_and_again_until_they_have_gone() -> None:
    script = Script()
    script.begin()
    collection_id = create(script)
    drop(script, collection_id)
    swept = []
    for removed in ((), (collection_id,)):
        script.now += script.settings.tombstone_sweep_s
        effects = script.step(TimePassed(script.now))
        swept += [e for e in effects if isinstance(e, SweepTombstones)]
        script.step(TombstonesSwept(removed))
    assert swept == [SweepTombstones((collection_id,))] * 2
    script.now += script.settings.tombstone_sweep_s
    effects = script.step(TimePassed(script.now))
    assert not any(isinstance(e, SweepTombstones) for e in effects)


def test_a_lost_leadership_orders_nothing_any_more() -> None:
    script = Script()
    script.begin()
    assert script.step(LeadershipLost("another leads")) == [StandDown("another leads")]
    assert list(script.grant()) == []
    assert list(script.step(LeadershipLost("again"))) == []
