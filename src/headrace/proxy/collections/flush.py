"""Flush and its state: a flush is a timestamp that the client brings back.

A flush takes a timestamp from the master service and has Seals (or a tick) above it appended in
every pchannel of the collection. Nothing is stored about it: the data service tells whether it is
done by comparing the timestamp with checkpoints and manifests. When the data service has stored a
manifest it tells all proxies, so a flush at or below the manifest's timestamp needs no question:
what is flushed stays so.
"""

import asyncio
from collections.abc import Sequence

from headrace.meta.records import CollectionRecord, Role
from headrace.model.channel import PChannel, pchannel_of
from headrace.model.errors import Fenced, Unavailable
from headrace.model.ids import CollectionId
from headrace.model.timestamp import Timestamp, physical_ms
from headrace.proxy.call import ClientCall
from headrace.proxy.cluster.catalog import Catalog
from headrace.proxy.cluster.known_time import KnownTime
from headrace.proxy.cluster.leaders import Leaders
from headrace.proxy.cluster.sequencers import Sequencing
from headrace.proxy.errors import Ending, Refusal, success
from headrace.proxy.milvus import Message, pb
from headrace.proxy.settings import ProxySurroundings
from headrace.rpc.messages import (
    Done,
    FlushStateRequest,
    FlushStateResponse,
    ManifestStoredRequest,
    SealRequest,
)
from headrace.runtime.retry import Backoff

_KNOWN_MOST = 10_000  # collections whose flushed timestamp is kept; others are asked about


class Flush:
    """The methods by which a client waits until its rows are in files."""

    def __init__(
        self,
        around: ProxySurroundings,
        catalog: Catalog,
        leaders: Leaders,
        sequencing: Sequencing,
        known: KnownTime,
    ) -> None:
        self._catalog = catalog
        self._leaders = leaders
        self._sequencing = sequencing
        self._known = known
        self._host = around.host
        self._settings = around.settings
        self._flushed_to: dict[CollectionId, Timestamp] = {}  # of the manifests we were told of

    async def manifest_stored(self, request: ManifestStoredRequest) -> Done:
        """All of a collection at or below a timestamp is in files and listed."""
        known = self._flushed_to.pop(request.collection_id, request.timestamp)
        self._flushed_to[request.collection_id] = max(known, request.timestamp)
        if len(self._flushed_to) > _KNOWN_MOST:
            del self._flushed_to[next(iter(self._flushed_to))]
        return Done()

    async def flush(self, request: Message, call: ClientCall) -> Message:
        """Milvus's Flush: answered when everything before it is sealed."""
        if not request.collection_names:
            raise Refusal.NAME_MISSING(at="collection_names", what="collection name")
        records = [await self._catalog.read(name) for name in request.collection_names]
        timestamp = await self._known.grant(call)
        answer = pb.FlushResponse(status=success(), db_name=request.db_name)
        sealed = await asyncio.gather(*(self._seal(r, timestamp, call) for r in records))
        for record, segment_ids in zip(records, sealed, strict=True):
            answer.coll_segIDs[record.name].data.extend(segment_ids)
            answer.flush_coll_segIDs[record.name].data.extend([])
            answer.coll_seal_times[record.name] = physical_ms(timestamp) // 1000
            answer.coll_flush_ts[record.name] = timestamp
        return answer

    async def get_flush_state(self, request: Message, call: ClientCall) -> Message:
        """Milvus's GetFlushState: by the timestamp; the segments say nothing that it does not."""
        if not request.flush_ts:
            raise Refusal.FLUSH_TIME_MISSING(at="flush_ts", field="flush_ts", method="Flush")
        if request.collection_name:
            record = await self._catalog.read(request.collection_name)
            wanted = FlushStateRequest(collection_id=record.id, timestamp=request.flush_ts)
            flushed = self._is_known(record.id, request.flush_ts) or await self._ask(wanted, call)
        else:
            flushed = await self._all_flushed(request.flush_ts, call)
        return pb.GetFlushStateResponse(status=success(), flushed=flushed)

    async def flush_all(self, request: Message, call: ClientCall) -> Message:
        """Milvus's FlushAll: every collection, at one timestamp."""
        timestamp = await self._known.grant(call)
        records = await self._catalog.all()
        await asyncio.gather(*(self._seal(r, timestamp, call) for r in records))
        return pb.FlushAllResponse(status=success(), flush_all_ts=timestamp)

    async def get_flush_all_state(self, request: Message, call: ClientCall) -> Message:
        """Milvus's GetFlushAllState."""
        if not request.flush_all_ts:
            at = "flush_all_ts"
            raise Refusal.FLUSH_TIME_MISSING(at=at, field=at, method="FlushAll")
        flushed = await self._all_flushed(request.flush_all_ts, call)
        return pb.GetFlushAllStateResponse(status=success(), flushed=flushed)

    async def _all_flushed(self, at: Timestamp, call: ClientCall) -> bool:
        """Of the collections that were there at that time and are there now. The data service may
        not have seen the youngest of them yet, so they are named."""
        there = [r.id for r in await self._catalog.all() if r.created <= at]
        ids = tuple(i for i in there if not self._is_known(i, at))
        if not ids:
            return True
        wanted = FlushStateRequest(collection_id=0, timestamp=at, collection_ids=ids)
        return await self._ask(wanted, call)

    def _is_known(self, collection_id: CollectionId, at: Timestamp) -> bool:
        return self._flushed_to.get(collection_id, -1) >= at

    async def _ask(self, request: FlushStateRequest, call: ClientCall) -> bool:
        state: FlushStateResponse = await self._leaders.call(Role.DATA_SERVICE, request, call)
        return state.flushed

    async def _seal(
        self, record: CollectionRecord, above: Timestamp, call: ClientCall
    ) -> Sequence[int]:
        """Ids of the segments sealed, rising; each pchannel of the collection is asked once."""
        pchannels = dict.fromkeys(pchannel_of(v) for v in record.vchannels)
        sealed = await asyncio.gather(
            *(self._seal_in(p, record.id, above, call) for p in pchannels)
        )
        return sorted(segment_id for ids in sealed for segment_id in ids)

    async def _seal_in(
        self, pchannel: PChannel, collection_id: CollectionId, above: Timestamp, call: ClientCall
    ) -> Sequence[int]:
        """Repeat until a sequencer has done it: sealing what is sealed changes nothing."""
        request = SealRequest(pchannel=pchannel, collection_id=collection_id, above=above)
        reason = "no sequencer was asked"
        backoff = Backoff(self._host, self._settings.pauses)
        while call.remaining_s > 0:
            seen = self._sequencing.count()
            timeout_s = min(self._settings.append_timeout_s, call.remaining_s)
            try:
                answer = await self._sequencing.seal(request, timeout_s=timeout_s)
                return answer.segment_ids
            except (Unavailable, Fenced) as error:
                reason = error.message
            await self._sequencing.moved(seen, min(backoff.next_s(), call.remaining_s))
        raise Ending.NOT_SEALED(pchannel=pchannel, reason=reason)
