"""DDL: recorded, appended to every vchannel, noted, answered; one at a time a collection.

**Owns** how far each DDL is, the names that are taken, and the requests that wait for a collection.
**Does not own** what a DDL changes (`collections`), the list of names (`names`), or transactions
(the shell).

What is recorded will be done, whoever leads: a new leader goes on with every DDL that it finds
recorded and not noted, and the sequencers append it too. So from the record on nothing is ever
taken back, and a request that comes again finds its result. A request for a collection with a DDL
under way waits and is then judged anew, as if it came after it; so a create whose name is being
dropped waits for the drop.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import assert_never

from headrace.masterservice.collections import records
from headrace.masterservice.collections.names import Names
from headrace.masterservice.collections.records import Change
from headrace.masterservice.effects import (
    Answer,
    AppendDdl,
    Effect,
    NoteDdl,
    RecordCollection,
    RecordDdl,
    Refuse,
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
from headrace.masterservice.sequencers import pool
from headrace.meta.records import CollectionRecord, CollectionState, DdlRecord
from headrace.model import codec
from headrace.model.channel import PChannel, pchannel_of
from headrace.model.entry import DdlKind
from headrace.model.errors import Invalid
from headrace.model.ids import CollectionId, Revision
from headrace.model.refusals import Refusal
from headrace.model.timestamp import Timestamp
from headrace.rpc.messages import CollectionResponse, Done

NAMING = (DdlKind.CREATE, DdlKind.RENAME, DdlKind.DROP)


class Phase(StrEnum):
    """Of a DDL under way."""

    RECORDING = "recording"
    APPENDING = "appending"
    NOTING = "noting"


@dataclass(frozen=True, slots=True)
class Standing:
    """A collection's record as it stands."""

    record: CollectionRecord
    revision: Revision


@dataclass(slots=True)
class _Work:
    change: Change
    phase: Phase
    call: int  # 0 = nobody waits: the DDL was found recorded
    waiting: list[DdlAsked] = field(default_factory=list)


class Ddls:
    """All collections of a cluster, and the DDLs under way."""

    def __init__(
        self,
        pchannels: Sequence[PChannel],
        standing: Mapping[CollectionId, Standing],
        undone: Mapping[CollectionId, DdlRecord],
        names: Names,
    ) -> None:
        self._pool = tuple(pchannels)
        self._standing = dict(standing)
        self._names = names
        self._taken = {
            s.record.name: s.record.id
            for s in standing.values()
            if s.record.state is not CollectionState.DROPPED
        }
        self._loads: dict[PChannel, int] = {}
        for s in standing.values():
            if s.record.state is not CollectionState.DROPPED:
                self._carry(s.record, 1)
        self._works = {
            i: _Work(Change(standing[i].record, ddl), Phase.APPENDING, 0)
            for i, ddl in sorted(undone.items())
        }
        self._released: deque[DdlAsked] = deque()

    # ---- what is asked -----------------------------------------------------------------------

    def begin(self) -> list[Effect]:
        """Go on with what was found recorded and not noted."""
        return [AppendDdl(w.change.record, w.change.ddl) for w in self._works.values()]

    @staticmethod
    def ids_needed(asked: DdlAsked) -> int:
        """How many ids a request may need."""
        match asked:
            case CreateAsked():
                return 1 + max(1, asked.partitions)
            case PartitionAsked():
                return 1
            case DropAsked() | RenameAsked():
                return 0
            case _:
                assert_never(asked)

    def asked(self, asked: DdlAsked, first_id: int, now: Timestamp) -> list[Effect]:
        """A request, with ids and a timestamp of its own should it need them."""
        for name in (
            (asked.name, asked.new_name) if isinstance(asked, RenameAsked) else (asked.name,)
        ):
            work = self._works.get(self._taken.get(name, 0))
            if work is not None:
                work.waiting.append(asked)
                return []
        try:
            match asked:
                case CreateAsked():
                    return self._create(asked, first_id, now)
                case DropAsked():
                    return self._drop(asked, now)
                case RenameAsked():
                    return self._rename(asked, now)
                case PartitionAsked():
                    return self._partition(asked, first_id, now)
                case _:
                    assert_never(asked)
        except Invalid as error:
            return [Refuse(asked.call, error)]

    def released(self) -> DdlAsked | None:
        """A request that waited for a DDL that is over: to be judged anew."""
        return self._released.popleft() if self._released else None

    def find(self, collection_id: CollectionId) -> CollectionRecord | None:
        """The record of a collection that is not dropped or being dropped."""
        standing = self._standing.get(collection_id)
        gone = (CollectionState.DROPPING, CollectionState.DROPPED)
        if standing is None or standing.record.state in gone:
            return None
        return standing.record

    def tombstones(self) -> tuple[CollectionId, ...]:
        """Dropped collections whose records are still there."""
        return tuple(
            i
            for i, s in sorted(self._standing.items())
            if s.record.state is CollectionState.DROPPED
        )

    def removed(self, collection_ids: Sequence[CollectionId]) -> None:
        """The last trace of these has gone."""
        for collection_id in collection_ids:
            self._standing.pop(collection_id, None)

    # ---- requests ----------------------------------------------------------------------------

    def _create(self, asked: CreateAsked, first_id: int, now: Timestamp) -> list[Effect]:
        collection_id = self._taken.get(asked.name)
        if collection_id is not None:
            record = self._standing[collection_id].record
            other = records.difference(record, asked)
            if other:
                raise Refusal.COLLECTION_DIFFERS(
                    at="collection_name", name=asked.name, difference=other
                )
            return self._names.answer(asked.call, _response(record))
        records.check_create(asked, len(self._pool))
        chosen = pool.choose(self._loads, self._pool, asked.shards)
        change = records.create(asked, first_id, chosen, now)
        self._carry(change.record, 1)
        self._taken[asked.name] = change.record.id
        self._works[change.record.id] = _Work(change, Phase.RECORDING, asked.call)
        return [RecordCollection(change.record, change.ddl)]

    def _drop(self, asked: DropAsked, now: Timestamp) -> list[Effect]:
        collection_id = self._taken.get(asked.name)
        if collection_id is None:
            return self._names.answer(asked.call, Done())
        return self._record(records.drop(self._standing[collection_id].record, now), asked.call)

    def _rename(self, asked: RenameAsked, now: Timestamp) -> list[Effect]:
        record = self._present(asked.name)
        if asked.new_name in self._taken:
            raise Refusal.NAME_TAKEN(at="new_name", name=asked.new_name)
        change = records.rename(record, asked.new_name, now)
        self._taken[asked.new_name] = record.id
        return self._record(change, asked.call, old_name=asked.name)

    def _partition(self, asked: PartitionAsked, first_id: int, now: Timestamp) -> list[Effect]:
        record = self._present(asked.name)
        if asked.drop:
            change = records.drop_partition(record, asked.partition, now)
        else:
            change = records.create_partition(record, asked.partition, first_id, now)
        if change is None:
            return [Answer(asked.call, Done())]
        return self._record(change, asked.call)

    def _present(self, name: str) -> CollectionRecord:
        collection_id = self._taken.get(name)
        if collection_id is None:
            raise Refusal.COLLECTION_NOT_FOUND(at="collection_name", name=name)
        return self._standing[collection_id].record

    def _record(self, change: Change, call: int, old_name: str = "") -> list[Effect]:
        standing = self._standing[change.record.id]
        self._works[change.record.id] = _Work(change, Phase.RECORDING, call)
        return [RecordDdl(change.record, change.ddl, standing.revision, old_name)]

    # ---- progress ----------------------------------------------------------------------------

    def recorded(self, event: DdlRecorded) -> list[Effect]:
        """It will be done."""
        work = self._work(event.collection_id, event.version, Phase.RECORDING)
        before = self._standing.get(event.collection_id)
        after = work.change.record
        if before is not None and before.record.name != after.name:
            del self._taken[before.record.name]
        self._standing[after.id] = Standing(after, event.revision)
        work.phase = Phase.APPENDING
        return [AppendDdl(after, work.change.ddl)]

    def not_recorded(self, event: DdlNotRecorded) -> list[Effect]:
        """Nothing happened, and nothing will: only a create ends so, when its pchannels have no
        sequencer."""
        work = self._work(event.collection_id, event.version, Phase.RECORDING)
        assert event.collection_id not in self._standing, "only a create can fail to be recorded"
        del self._taken[work.change.record.name]
        self._carry(work.change.record, -1)
        self._end(event.collection_id)
        return [Refuse(work.call, event.error)]

    def appended(self, event: DdlAppended) -> list[Effect]:
        """It stands in every vchannel."""
        work = self._work(event.collection_id, event.version, Phase.APPENDING)
        work.change = records.note(work.change, event.positions)
        work.phase = Phase.NOTING
        revision = self._standing[event.collection_id].revision
        return [NoteDdl(work.change.record, work.change.ddl, revision)]

    def noted(self, event: DdlNoted) -> list[Effect]:
        """Its positions are known; who asked for it may be told."""
        work = self._work(event.collection_id, event.version, Phase.NOTING)
        record = work.change.record
        self._standing[record.id] = Standing(record, event.revision)
        if record.state is CollectionState.DROPPED:
            del self._taken[record.name]
            self._carry(record, -1)
        self._end(record.id)
        effects: list[Effect] = []
        kind = work.change.ddl.kind
        response = _response(record) if kind is DdlKind.CREATE else Done()
        if kind in NAMING:
            effects += self._names.changed(event.revision)
            if work.call:
                effects += self._names.answer(work.call, response)
        elif work.call:
            effects.append(Answer(work.call, response))
        return effects

    def _work(self, collection_id: CollectionId, version: int, phase: Phase) -> _Work:
        work = self._works[collection_id]
        assert work.phase is phase and work.change.record.version == version, (work, version, phase)
        return work

    def _end(self, collection_id: CollectionId) -> None:
        self._released.extend(self._works.pop(collection_id).waiting)

    def _carry(self, record: CollectionRecord, sign: int) -> None:
        for vchannel in record.vchannels:
            pchannel = pchannel_of(vchannel)
            self._loads[pchannel] = self._loads.get(pchannel, 0) + sign

    def validate(self) -> None:
        """A record is at most one version ahead of what is noted, and only while a DDL is under
        way; every name is that of a collection."""
        for collection_id, standing in self._standing.items():
            record = standing.record
            behind = record.version - record.noted
            busy = self._works.get(collection_id)
            assert behind in (0, 1), record
            assert (behind == 1) == (busy is not None and busy.phase is not Phase.RECORDING), record
        for name, collection_id in self._taken.items():
            assert collection_id in self._standing or collection_id in self._works, name
        assert all(load >= 0 for load in self._loads.values()), self._loads


def _response(record: CollectionRecord) -> CollectionResponse:
    return CollectionResponse(codec.encode(record))
