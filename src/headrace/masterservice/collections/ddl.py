"""DDL: recorded, appended to every vchannel, noted, answered; one at a time a collection.

What is recorded will be done: a new leader goes on with every DDL that it finds recorded and not
noted, and the sequencers append it too. So from the record on nothing is ever taken back, and a
request that comes again finds its result. A request for a collection with a DDL under way waits
and is then judged anew, as if it came after it; so a create whose name is being dropped waits for
the drop. What each DDL changes in a record is said in `records`.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from headrace.masterservice import effects as fx
from headrace.masterservice import events as ev
from headrace.masterservice.collections import records
from headrace.masterservice.collections.names import Names
from headrace.masterservice.collections.records import Change
from headrace.masterservice.sequencers import pool
from headrace.meta.records import CollectionRecord, CollectionState, DdlRecord
from headrace.model.channel import PChannel, pchannel_of
from headrace.model.entry import DdlKind
from headrace.model.ids import CollectionId, Revision
from headrace.model.refusals import Refusal
from headrace.model.timestamp import Timestamp
from headrace.rpc.messages import CollectionResponse, Done

NAMING = (DdlKind.CREATE, DdlKind.RENAME, DdlKind.DROP)


class DdlPhase(StrEnum):
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
class _UnderWay:
    change: Change
    phase: DdlPhase
    call: int  # 0 = no caller waits: the DDL was found recorded
    later: list[ev.DdlAsked] = field(default_factory=list)  # requests that come after it


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
        self._under_way = {
            i: _UnderWay(Change(standing[i].record, ddl), DdlPhase.APPENDING, 0)
            for i, ddl in sorted(undone.items())
        }
        self._released: deque[ev.DdlAsked] = deque()

    # ---- what is asked -----------------------------------------------------------------------

    def begin(self) -> list[fx.Effect]:
        """Go on with what was found recorded and not noted."""
        return [fx.AppendDdl(w.change.record, w.change.ddl) for w in self._under_way.values()]

    def released(self) -> ev.DdlAsked | None:
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
        return tuple(
            i
            for i, s in sorted(self._standing.items())
            if s.record.state is CollectionState.DROPPED
        )

    def removed(self, collection_ids: Sequence[CollectionId]) -> None:
        """The last trace of these has gone."""
        for collection_id in collection_ids:
            self._standing.pop(collection_id, None)

    # ---- requests, with ids and a timestamp of their own; `Invalid` refuses one ---------------

    def create(self, asked: ev.CreateAsked, first_id: int, now: Timestamp) -> list[fx.Effect]:
        """A collection is wanted: it gets the first id, its partitions the next ones."""
        request, name = asked.request, asked.request.name
        if self._comes_later(asked, name):
            return []
        collection_id = self._taken.get(name)
        if collection_id is not None:
            record = self._standing[collection_id].record
            other = records.difference(record, request)
            if other:
                raise Refusal.COLLECTION_DIFFERS(at="collection_name", name=name, difference=other)
            return self._names.answer(asked.call, CollectionResponse(record))
        records.check_create(request, len(self._pool))
        chosen = pool.choose(self._loads, self._pool, request.shards)
        change = records.create(request, first_id, chosen, now)
        self._carry(change.record, 1)
        self._taken[name] = change.record.id
        self._under_way[change.record.id] = _UnderWay(change, DdlPhase.RECORDING, asked.call)
        return [fx.RecordCollection(change.record, change.ddl)]

    def drop(self, asked: ev.DropAsked, _: int, now: Timestamp) -> list[fx.Effect]:
        """A collection is to go; one that is absent has gone."""
        if self._comes_later(asked, asked.request.name):
            return []
        collection_id = self._taken.get(asked.request.name)
        if collection_id is None:
            return self._names.answer(asked.call, Done())
        return self._record(records.drop(self._standing[collection_id].record, now), asked.call)

    def rename(self, asked: ev.RenameAsked, _: int, now: Timestamp) -> list[fx.Effect]:
        """A collection is to have another name."""
        name, new_name = asked.request.name, asked.request.new_name
        if self._comes_later(asked, name, new_name):
            return []
        record = self._present(name)
        if new_name in self._taken:
            raise Refusal.NAME_TAKEN(at="new_name", name=new_name)
        change = records.rename(record, new_name, now)
        self._taken[new_name] = record.id
        return self._record(change, asked.call, old_name=name)

    def partition(self, asked: ev.PartitionAsked, first_id: int, now: Timestamp) -> list[fx.Effect]:
        """A partition is wanted and gets the id, or is to go."""
        request = asked.request
        if self._comes_later(asked, request.collection):
            return []
        record = self._present(request.collection)
        if request.drop:
            change = records.drop_partition(record, request.partition, now)
        else:
            change = records.create_partition(record, request.partition, first_id, now)
        if change is None:
            return [fx.Answer(asked.call, Done())]
        return self._record(change, asked.call)

    def _comes_later(self, asked: ev.DdlAsked, *names: str) -> bool:
        """Whether the request has to wait for a DDL of one of these collections, and does."""
        for name in names:
            before = self._under_way.get(self._taken.get(name, 0))
            if before is not None:
                before.later.append(asked)
                return True
        return False

    def _present(self, name: str) -> CollectionRecord:
        collection_id = self._taken.get(name)
        if collection_id is None:
            raise Refusal.COLLECTION_NOT_FOUND(at="collection_name", name=name)
        return self._standing[collection_id].record

    def _record(self, change: Change, call: int, old_name: str = "") -> list[fx.Effect]:
        standing = self._standing[change.record.id]
        self._under_way[change.record.id] = _UnderWay(change, DdlPhase.RECORDING, call)
        return [fx.RecordDdl(change.record, change.ddl, standing.revision, old_name)]

    # ---- progress ----------------------------------------------------------------------------

    def recorded(self, event: ev.DdlRecorded) -> list[fx.Effect]:
        """It will be done."""
        ddl = self._find_under_way(event.collection_id, event.version, DdlPhase.RECORDING)
        before = self._standing.get(event.collection_id)
        after = ddl.change.record
        if before is not None and before.record.name != after.name:
            del self._taken[before.record.name]
        self._standing[after.id] = Standing(after, event.revision)
        ddl.phase = DdlPhase.APPENDING
        return [fx.AppendDdl(after, ddl.change.ddl)]

    def not_recorded(self, event: ev.DdlNotRecorded) -> list[fx.Effect]:
        """Nothing was recorded: only a create ends so, when its pchannels have no sequencer."""
        ddl = self._find_under_way(event.collection_id, event.version, DdlPhase.RECORDING)
        assert event.collection_id not in self._standing, "only a create can fail to be recorded"
        del self._taken[ddl.change.record.name]
        self._carry(ddl.change.record, -1)
        self._end(event.collection_id)
        return [fx.Refuse(ddl.call, event.error)]

    def appended(self, event: ev.DdlAppended) -> list[fx.Effect]:
        """It stands in every vchannel."""
        ddl = self._find_under_way(event.collection_id, event.version, DdlPhase.APPENDING)
        ddl.change = records.note(ddl.change, event.positions)
        ddl.phase = DdlPhase.NOTING
        revision = self._standing[event.collection_id].revision
        return [fx.NoteDdl(ddl.change.record, ddl.change.ddl, revision)]

    def noted(self, event: ev.DdlNoted) -> list[fx.Effect]:
        """Its positions are known; who asked for it may be told."""
        ddl = self._find_under_way(event.collection_id, event.version, DdlPhase.NOTING)
        record = ddl.change.record
        self._standing[record.id] = Standing(record, event.revision)
        if record.state is CollectionState.DROPPED:
            del self._taken[record.name]
            self._carry(record, -1)
        self._end(record.id)
        effects: list[fx.Effect] = []
        kind = ddl.change.ddl.kind
        response = CollectionResponse(record) if kind is DdlKind.CREATE else Done()
        if kind in NAMING:
            effects += self._names.changed(event.revision)
            if ddl.call:
                effects += self._names.answer(ddl.call, response)
        elif ddl.call:
            effects.append(fx.Answer(ddl.call, response))
        return effects

    def _find_under_way(
        self, collection_id: CollectionId, version: int, phase: DdlPhase
    ) -> _UnderWay:
        ddl = self._under_way[collection_id]
        assert ddl.phase is phase and ddl.change.record.version == version, (ddl, version, phase)
        return ddl

    def _end(self, collection_id: CollectionId) -> None:
        self._released.extend(self._under_way.pop(collection_id).later)

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
            busy = self._under_way.get(collection_id)
            assert behind in (0, 1), record
            assert (behind == 1) == (busy is not None and busy.phase is not DdlPhase.RECORDING), (
                record
            )
        for name, collection_id in self._taken.items():
            assert collection_id in self._standing or collection_id in self._under_way, name
        assert all(load >= 0 for load in self._loads.values()), self._loads
