"""How far each DDL is, and who waits for it."""

from dataclasses import replace
from typing import Any

from headrace.masterservice.collections.ddl import Ddls, Standing
from headrace.masterservice.collections.names import Names
from headrace.masterservice.effects import (
    Answer,
    AppendDdl,
    Effect,
    NoteDdl,
    RecordCollection,
    RecordDdl,
    Refuse,
    StoreNames,
)
from headrace.masterservice.events import (
    CreateAsked,
    DdlAppended,
    DdlAsked,
    DdlNoted,
    DdlNotRecorded,
    DdlRecorded,
    DropAsked,
    PartitionAsked,
    RenameAsked,
)
from headrace.meta.records import CollectionRecord, CollectionState
from headrace.model.channel import Position, pchannel_of
from headrace.model.entry import DdlKind
from headrace.model.errors import Invalid, NotFound, Unavailable
from headrace.model.schema import DataType, Field, Schema
from headrace.rpc.messages import (
    CollectionResponse,
    CreateCollectionRequest,
    Done,
    DropCollectionRequest,
    PartitionRequest,
    RenameCollectionRequest,
)

SCHEMA = Schema(fields=(Field(id=100, name="id", type=DataType.INT64, primary=True),))
OTHER = Schema(fields=(Field(id=100, name="key", type=DataType.INT64, primary=True),))
POOL = ("p-0", "p-1", "p-2", "p-3")


class Script:
    """Plays the machine and the shell around `Ddls`; an effect is carried out when told to."""

    def __init__(self, part: Ddls | None = None, names: Names | None = None) -> None:
        self.names = names or Names()
        self.part = part or Ddls(POOL, {}, {}, self.names)
        self.pending: list[Effect] = []
        self.answers: dict[int, Any] = {}
        self.recorded: dict[int, CollectionRecord] = {}
        self.revision = 100
        self.next_id = 1000
        self.calls = 0

    def take(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Answer():
                    self.answers[effect.call] = effect.response
                case Refuse():
                    self.answers[effect.call] = effect.error
                case _:
                    self.pending.append(effect)
        while (waited := self.part.released()) is not None:
            self._ask(waited)
        self.part.validate()
        self.names.validate()

    def _ask(self, asked: DdlAsked) -> None:
        self.next_id += 10
        kinds = {
            CreateAsked: self.part.create,
            DropAsked: self.part.drop,
            RenameAsked: self.part.rename,
            PartitionAsked: self.part.partition,
        }
        try:
            effects = kinds[type(asked)](asked, self.next_id, self.next_id)
        except Invalid as error:
            effects = [Refuse(asked.call, error)]
        self.take(effects)

    def ask(self, asked: DdlAsked) -> int:
        self.calls += 1
        self._ask(replace(asked, call=self.calls))
        return self.calls

    def create(self, name: str = "books", schema: Schema = SCHEMA, shards: int = 2) -> int:
        return self.ask(
            CreateAsked(0, CreateCollectionRequest(name=name, schema=schema, shards=shards))
        )

    def drop(self, name: str = "books") -> int:
        return self.ask(DropAsked(0, DropCollectionRequest(name)))

    def rename(self, name: str, new_name: str) -> int:
        return self.ask(RenameAsked(0, RenameCollectionRequest(name, new_name)))

    def partition(self, partition: str, drop: bool = False) -> int:
        return self.ask(
            PartitionAsked(0, PartitionRequest(collection="books", partition=partition, drop=drop))
        )

    def carry_out(self) -> Effect:
        """The oldest effect is done."""
        effect = self.pending.pop(0)
        self.revision += 1
        match effect:
            case RecordCollection() | RecordDdl():
                self.recorded[effect.record.id] = effect.record
                identity = (effect.record.id, effect.record.version)
                self.take(self.part.recorded(DdlRecorded(*identity, self.revision)))
            case AppendDdl():
                positions = {v: Position(pchannel_of(v), 5, 6) for v in effect.record.vchannels}
                identity = (effect.record.id, effect.record.version)
                self.take(self.part.appended(DdlAppended(*identity, positions)))
            case NoteDdl():
                self.recorded[effect.record.id] = effect.record
                identity = (effect.record.id, effect.record.version)
                self.take(self.part.noted(DdlNoted(*identity, self.revision)))
            case StoreNames():
                self.take(self.names.stored(effect.revision))
            case _:
                raise AssertionError(effect)
        return effect

    def carry_out_all(self) -> None:
        while self.pending:
            self.carry_out()


def record_of(response: Any) -> CollectionRecord:
    assert isinstance(response, CollectionResponse), response
    return response.record


def test_a_create_is_recorded_appended_noted_stored_and_then_answered() -> None:
    script = Script()
    call = script.create()
    steps = []
    while script.pending:
        assert call not in script.answers
        steps.append(type(script.carry_out()))
    assert steps == [RecordCollection, AppendDdl, NoteDdl, StoreNames]
    record = record_of(script.answers[call])
    assert record.state is CollectionState.CREATED
    assert record.noted == record.version == 1


def test_create_again_with_the_same_schema_gives_the_same_collection() -> None:
    script = Script()
    first = script.create()
    again = script.create()
    script.carry_out_all()
    later = script.create()
    ids = {record_of(script.answers[call]).id for call in (first, again, later)}
    assert len(ids) == 1


def test_create_again_with_another_schema_is_refused_with_the_reason() -> None:
    script = Script()
    script.create()
    script.carry_out_all()
    refused = script.answers[script.create(schema=OTHER)]
    assert isinstance(refused, Invalid)
    assert "'key'" in refused.message


def test_a_create_whose_name_is_being_dropped_waits_for_the_drop() -> None:
    script = Script()
    first = script.create()
    script.carry_out_all()
    script.drop()
    script.carry_out()
    second = script.create(schema=OTHER)
    assert not any(isinstance(e, RecordCollection) for e in script.pending)
    script.carry_out_all()
    one, two = record_of(script.answers[first]), record_of(script.answers[second])
    assert one.id != two.id
    assert two.schema == OTHER


def test_a_drop_of_what_is_absent_is_done() -> None:
    script = Script()
    assert script.answers[script.drop("nothing")] == Done()


def test_even_that_waits_for_a_list_of_names_that_may_be_missing() -> None:
    script = Script()
    script.take(script.names.changed(50))
    call = script.drop("nothing")
    assert call not in script.answers
    script.carry_out_all()
    assert script.answers[call] == Done()


def test_a_drop_again_while_it_is_under_way_is_done_with_it() -> None:
    script = Script()
    script.create()
    script.carry_out_all()
    calls = [script.drop(), script.drop()]
    assert len(script.pending) == 1
    script.carry_out_all()
    assert [script.answers[c] for c in calls] == [Done(), Done()]


def test_one_ddl_at_a_time_a_collection() -> None:
    script = Script()
    script.create()
    script.carry_out_all()
    script.partition("a")
    script.partition("b")
    script.rename("books", "novels")
    versions = []
    while script.pending:
        assert len([e for e in script.pending if isinstance(e, RecordDdl)]) <= 1
        effect = script.carry_out()
        if isinstance(effect, RecordDdl):
            versions.append((effect.ddl.kind, effect.record.version))
    assert versions == [
        (DdlKind.CREATE_PARTITION, 2),
        (DdlKind.CREATE_PARTITION, 3),
        (DdlKind.RENAME, 4),
    ]


def test_ddl_of_different_collections_is_under_way_together() -> None:
    script = Script()
    script.create("a")
    script.create("b")
    assert [type(e) for e in script.pending] == [RecordCollection, RecordCollection]


def test_a_rename_frees_the_old_name_and_takes_the_new_one() -> None:
    script = Script()
    script.create()
    script.carry_out_all()
    call = script.rename("books", "novels")
    effect = script.pending[0]
    assert isinstance(effect, RecordDdl)
    assert (effect.record.name, effect.old_name) == ("novels", "books")
    script.carry_out_all()
    assert script.answers[call] == Done()
    assert isinstance(script.answers[script.rename("books", "x")], NotFound)
    new = script.create("books", schema=OTHER)
    script.carry_out_all()
    assert record_of(script.answers[new]).schema == OTHER


def test_a_rename_to_a_taken_name_is_refused() -> None:
    script = Script()
    script.create("books")
    script.create("novels")
    script.carry_out_all()
    assert isinstance(script.answers[script.rename("books", "novels")], Invalid)
    assert isinstance(script.answers[script.rename("books", "books")], Invalid)


def test_a_rename_waits_for_a_collection_that_is_just_made_under_the_new_name() -> None:
    script = Script()
    script.create("books")
    script.carry_out_all()
    script.create("novels")
    call = script.rename("books", "novels")
    assert call not in script.answers
    script.carry_out_all()
    assert isinstance(script.answers[call], Invalid)


def test_a_rename_to_a_name_that_is_being_dropped_waits_and_succeeds() -> None:
    script = Script()
    script.create("books")
    script.create("novels")
    script.carry_out_all()
    script.drop("novels")
    call = script.rename("books", "novels")
    script.carry_out_all()
    assert script.answers[call] == Done()


def test_partitions_that_are_already_so_are_answered_at_once() -> None:
    script = Script()
    script.create()
    script.carry_out_all()
    script.partition("a")
    script.carry_out_all()
    assert script.answers[script.partition("a")] == Done()
    script.partition("a", drop=True)
    script.carry_out_all()
    assert script.answers[script.partition("a", drop=True)] == Done()
    assert isinstance(script.answers[script.partition("_default", drop=True)], Invalid)
    assert script.pending == []


def test_a_create_that_was_not_recorded_leaves_nothing_behind() -> None:
    script = Script()
    call = script.create()
    waiting = script.create(schema=OTHER)
    effect = script.pending.pop()
    assert isinstance(effect, RecordCollection)
    error = Unavailable("no sequencer")
    script.take(script.part.not_recorded(DdlNotRecorded(effect.record.id, 1, error)))
    assert script.answers[call] is error
    script.carry_out_all()
    assert record_of(script.answers[waiting]).schema == OTHER


def test_collections_are_spread_over_the_pool() -> None:
    script = Script()
    for n in range(4):
        script.create(f"c{n}", shards=2)
    script.carry_out_all()
    pchannels = [pchannel_of(v) for r in script.recorded.values() for v in r.vchannels]
    assert sorted(pchannels) == sorted(POOL * 2)


def test_a_new_leader_goes_on_with_what_is_recorded_and_not_noted() -> None:
    before = Script()
    before.create("done")
    before.carry_out_all()
    before.create("half")
    before.carry_out()
    appending = before.pending[0]
    assert isinstance(appending, AppendDdl)
    standing = {i: Standing(r, 50 + i) for i, r in before.recorded.items()}
    names = Names()
    after = Script(Ddls(POOL, standing, {appending.record.id: appending.ddl}, names), names)
    again = after.create("half")
    after.take([*names.changed(99), *after.part.begin()])
    assert [type(e) for e in after.pending] == [StoreNames, AppendDdl]
    after.carry_out_all()
    assert record_of(after.answers[again]).id == appending.record.id


def test_a_dropped_collection_stays_until_its_last_trace_has_gone() -> None:
    script = Script()
    call = script.create()
    script.carry_out_all()
    collection_id = record_of(script.answers[call]).id
    assert script.part.find(collection_id) is not None
    script.drop()
    script.carry_out()
    assert script.part.find(collection_id) is None
    script.carry_out_all()
    assert script.part.tombstones() == (collection_id,)
    script.part.removed([collection_id])
    assert script.part.tombstones() == ()
