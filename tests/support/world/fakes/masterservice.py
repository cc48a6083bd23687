"""A master service that does at once what it is asked, with the records that production makes."""

from collections.abc import Callable, Sequence
from typing import Any

from headrace.masterservice.collections import records
from headrace.masterservice.collections.records import Change
from headrace.meta.api import Delete, Put
from headrace.meta.records import CollectionRecord, CollectionState, SequencerRecord
from headrace.model.channel import PChannel, Position, pchannel_of
from headrace.model.codec import encode
from headrace.model.errors import Unavailable
from headrace.model.refusals import Refusal
from headrace.model.timestamp import Timestamp, compose
from headrace.rpc import messages as m
from support.world.edges import Edges


class FakeMasterService:
    """Grants, ids and DDL; every DDL is noted as soon as it is recorded.

    `away`: it does not answer calls for timestamps and ids. `changed` is told of every record that
    a DDL leaves. `orders` are the requests that came.
    """

    def __init__(self, edges: Edges, pchannels: Sequence[PChannel] = ()) -> None:
        self._edges = edges
        self._pool = pchannels
        self._next = 0
        self.next_id = 1000
        self.now = 0  # what it answers when asked for a timestamp, instead of the next one
        self.away = False
        self.orders: list[Any] = []
        self.grants: list[m.GrantRequest] = []
        self.changed: Callable[[CollectionRecord], None] = lambda record: None

    def handlers(self) -> dict[type, Any]:
        """All that it answers."""
        return {
            m.GrantRequest: self._grant,
            m.AllocIdsRequest: self._alloc_ids,
            m.AllocTimestampRequest: self._alloc_timestamp,
            m.CreateCollectionRequest: self._create,
            m.DropCollectionRequest: self.drop,
            m.PartitionRequest: self._partition,
            m.RenameCollectionRequest: self.rename,
            m.SetClientStateRequest: self._set_client_state,
            m.SuspectRequest: self._suspect,
        }

    # ---- timestamps and ids ------------------------------------------------------------------

    def timestamp(self, count: int = 1) -> Timestamp:
        """The first of so many new timestamps."""
        first = max(self._next, compose(self._edges.clock.wall_ms(), 1))
        self._next = first + count
        return first

    async def _grant(self, request: m.GrantRequest) -> m.GrantResponse:
        self._answers()
        self.grants.append(request)
        first = self.timestamp(request.count)
        wanted = self._edges.records(self._edges.keys.sequencers_prefix, SequencerRecord)
        mine = tuple(
            p for p in request.pchannels if p in wanted and wanted[p].server_id == request.server_id
        )
        return m.GrantResponse(first=first, count=request.count, pchannels=mine)

    async def _alloc_timestamp(self, request: m.AllocTimestampRequest) -> m.AllocTimestampResponse:
        return m.AllocTimestampResponse(self.now or self.timestamp())

    async def _alloc_ids(self, request: m.AllocIdsRequest) -> m.AllocIdsResponse:
        self._answers()
        self.orders.append(request)
        return m.AllocIdsResponse(self._ids(request.count), request.count)

    def _ids(self, count: int) -> int:
        self.next_id += count
        return self.next_id - count

    def _answers(self) -> None:
        if self.away:
            raise Unavailable("away")

    # ---- DDL ---------------------------------------------------------------------------------

    async def _create(self, request: m.CreateCollectionRequest) -> m.CollectionResponse:
        self.orders.append(request)
        standing = self._find(request.name)
        if standing is None:
            first = self._ids(10 + request.partitions)
            chosen = [self._pool[n % len(self._pool)] for n in range(request.shards)]
            standing = self._note(records.create(request, first, chosen, self.timestamp()))
        elif difference := records.difference(standing, request):
            raise Refusal.COLLECTION_DIFFERS(name=request.name, difference=difference)
        return m.CollectionResponse(standing)

    async def drop(self, request: m.DropCollectionRequest) -> m.Done:
        self.orders.append(request)
        record = self._find(request.name)
        if record is not None:
            self._note(records.drop(record, self.timestamp()))
        return m.Done()

    async def rename(self, request: m.RenameCollectionRequest) -> m.Done:
        self.orders.append(request)
        record = self._present(request.name)
        self._note(records.rename(record, request.new_name, self.timestamp()), record.name)
        return m.Done()

    async def _partition(self, request: m.PartitionRequest) -> m.Done:
        self.orders.append(request)
        record, now = self._present(request.collection), self.timestamp()
        if request.drop:
            change = records.drop_partition(record, request.partition, now)
        else:
            change = records.create_partition(record, request.partition, self._ids(1), now)
        if change is not None:
            self._note(change)
        return m.Done()

    def _find(self, name: str) -> CollectionRecord | None:
        found = self._edges.records(self._edges.keys.collections_prefix, CollectionRecord)
        there = (r for r in found.values() if r.state is CollectionState.CREATED)
        return next((r for r in there if r.name == name), None)

    def _present(self, name: str) -> CollectionRecord:
        record = self._find(name)
        if record is None:
            raise Refusal.COLLECTION_NOT_FOUND(name=name)
        return record

    def _note(self, change: Change, old_name: str = "") -> CollectionRecord:
        vchannels = change.record.vchannels
        positions = {v: Position(pchannel_of(v), 1, change.ddl.recorded) for v in vchannels}
        record, keys = records.note(change, positions).record, self._edges.keys
        name = Put(keys.name(record.name), str(record.id).encode())
        operations: list[Put | Delete] = [Put(keys.collection(record.id), encode(record))]
        operations.append(name if record.state is CollectionState.CREATED else Delete(name.key))
        if old_name:
            operations.append(Delete(keys.name(old_name)))
        self._edges.store.txn([], operations)
        if record.version > 1:
            self.changed(record)
        return record

    # ---- the rest ----------------------------------------------------------------------------

    async def _set_client_state(self, request: m.SetClientStateRequest) -> m.Done:
        self.orders.append(request)
        key = self._edges.keys.client_state(request.collection_id, request.topic)
        put = Put(key, request.value) if request.value else Delete(key)
        self._edges.store.txn([], [put])
        return m.Done()

    async def _suspect(self, request: m.SuspectRequest) -> m.Done:
        self.orders.append(request)
        return m.Done()
