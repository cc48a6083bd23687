"""The sequencers of a process: parts and DDLs are kept once each, under their ids and versions."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from headrace.binlog.body import decode_keys, decode_rows, encode_keys
from headrace.meta.records import (
    CollectionRecord,
    Role,
    SequencerRecord,
    SessionRecord,
    SessionState,
)
from headrace.model.channel import Position, pchannel_of
from headrace.model.entry import DdlKind
from headrace.model.errors import Fenced, HeadraceError
from headrace.model.refusals import Refusal
from headrace.rpc import messages as m
from support.world.edges import Edges


@dataclass(slots=True)
class Stream:
    """A pchannel as its sequencers know it: its last message, and the DDLs of its vchannels."""

    last: int = 1
    ddls: dict[str, list[tuple[int, DdlKind, Position]]] = field(default_factory=dict)


class FakeSequencers:
    """Those of one process; `streams` are shared with those of other processes.

    `outcomes` are what it says to appends instead, first come first.
    """

    def __init__(
        self,
        edges: Edges,
        server_id: int,
        *,
        timestamp: Callable[[], int] = lambda: 0,
        streams: dict[str, Stream] | None = None,
    ) -> None:
        self._edges = edges
        self._timestamp = timestamp
        self._streams = {} if streams is None else streams
        self.server_id = server_id
        self.stored: dict[bytes, m.AppendRequest] = {}
        self.asked: list[m.AppendRequest] = []
        self.seals: list[m.SealRequest] = []
        self.stopped: list[str] = []
        self.outcomes: list[m.AppendResponse | HeadraceError] = []
        self.timestamps: dict[bytes, int] = {}
        self.present: dict[int, int] = {}  # versions that DDL entries have brought

    def handlers(self) -> Mapping[type, Any]:
        return {
            m.AppendRequest: self.append,
            m.SealRequest: self.seal,
            m.LastPositionRequest: self._last_position,
            m.AppendDdlRequest: self._append_ddl,
            m.StopSequencingRequest: self._stop_sequencing,
        }

    async def append(self, request: m.AppendRequest) -> m.AppendResponse:
        self.asked.append(request)
        await asyncio.sleep(0)
        if self.outcomes:
            outcome = self.outcomes.pop(0)
            if isinstance(outcome, HeadraceError):
                raise outcome
            return outcome
        first = self.stored.get(request.part_id)
        if first is not None:
            if first.fingerprint != request.fingerprint:
                raise Refusal.KEY_REUSED(at="idempotency-key")
            return self._done(first, repeated=True, keys=self._keys(first) if first.rows else b"")
        version = self.present.get(request.collection_id, request.version)
        if version > request.version:
            return m.AppendResponse(outcome="stale", version=version)
        self.stored[request.part_id] = request
        self.timestamps[request.part_id] = self._timestamp()
        return self._done(request)

    def _done(
        self, request: m.AppendRequest, *, repeated: bool = False, keys: Any = b""
    ) -> m.AppendResponse:
        return m.AppendResponse(
            outcome="done",
            timestamp=self.timestamps[request.part_id],
            message_id=len(self.stored),
            rows=request.rows,
            deletes=request.deletes,
            repeated=repeated,
            keys=keys,
        )

    def _keys(self, request: m.AppendRequest) -> Any:
        key = self._edges.keys.collection(request.collection_id)
        record = self._edges.read(key, CollectionRecord)
        assert record is not None
        return encode_keys(decode_rows(request.body).column(record.schema.key.name))

    async def seal(self, request: m.SealRequest) -> m.SealResponse:
        self.seals.append(request)
        position = Position(request.pchannel, 1, request.above + 1)
        return m.SealResponse(position=position, segment_ids=(100 + len(self.seals),))

    # ---- the master service's orders ---------------------------------------------------------

    def _stream(self, pchannel: str) -> Stream:
        wanted = self._edges.read(self._edges.keys.sequencer(pchannel), SequencerRecord)
        if wanted is None or wanted.server_id != self.server_id:
            raise Fenced(f"{self.server_id} does not sequence {pchannel}")
        return self._streams.setdefault(pchannel, Stream())

    async def _last_position(self, request: m.LastPositionRequest) -> m.PositionResponse:
        last = self._stream(request.pchannel).last
        return m.PositionResponse(Position(request.pchannel, last, last * 1000))

    async def _append_ddl(self, request: m.AppendDdlRequest) -> m.AppendDdlResponse:
        """As a sequencer does: a DDL not above the present version has the same answer again."""
        stream = self._stream(request.pchannel)
        ddl, positions = request.ddl, []
        for vchannel in request.record.vchannels:
            if pchannel_of(vchannel) != request.pchannel:
                continue
            stand = stream.ddls.setdefault(vchannel, [])
            present = stand[-1][0] if stand else 0
            assert ddl.version <= present + 1, "the next DDL only when the last is noted"
            if ddl.version > present:
                stream.last += 1
                at = Position(request.pchannel, stream.last, stream.last * 1000)
                stand.append((ddl.version, ddl.kind, at))
            position = next(at for version, _, at in stand if version == ddl.version)
            positions.append(m.VChannelPosition(vchannel, position))
        return m.AppendDdlResponse(tuple(positions))

    async def _stop_sequencing(self, request: m.StopSequencingRequest) -> m.Done:
        assert request.server_id == self.server_id
        self.stopped.append(request.pchannel)
        return m.Done()

    # ---- the front door's way to it ----------------------------------------------------------

    def status(self) -> list[dict[str, Any]]:
        return []

    async def run(self) -> None:
        await asyncio.get_running_loop().create_future()

    def stop(self) -> None:
        return

    # ---- what stands -------------------------------------------------------------------------

    def rows(self, collection_id: int) -> list[dict[str, Any]]:
        """All rows stored for a collection, in the order in which they came."""
        return [
            row
            for part in self.stored.values()
            if part.collection_id == collection_id and part.rows
            for row in decode_rows(part.body).to_pylist()
        ]

    def deleted(self, collection_id: int) -> list[Any]:
        """All keys that deletes and upserts named."""
        return [
            key
            for part in self.stored.values()
            if part.collection_id == collection_id and part.deletes
            for key in decode_keys(part.delete_body).to_pylist()
        ]


class FakeProxy(FakeSequencers):
    """A proxy process, as the services see it: registered, it sequences and hears announcements."""

    def __init__(
        self, edges: Edges, server_id: int, streams: dict[str, Stream] | None = None
    ) -> None:
        super().__init__(edges, server_id, streams=streams)
        self.alive = True
        self.announced: list[m.ManifestStoredRequest] = []
        self._server = edges.network.server(f"proxy:{server_id}")

    @property
    def session(self) -> SessionRecord:
        """Its session."""
        return SessionRecord(
            role=Role.PROXY,
            node_name=f"proxy-{self.server_id}",
            server_id=self.server_id,
            address=self._server.address,
            state=SessionState.HEALTHY,
        )

    async def start(self) -> None:
        """Listen, and register."""
        more = {m.StatusRequest: self._status, m.ManifestStoredRequest: self._stored}
        await self._server.start({**self.handlers(), **more})
        self._edges.register(self.session)

    def kill(self) -> None:
        """SIGKILL: connections are refused from here on."""
        self.alive = False
        self._edges.network.kill(self._server.address)

    async def _status(self, request: m.StatusRequest) -> m.StatusResponse:
        state = "healthy"
        return m.StatusResponse(role="proxy", node_name="", server_id=self.server_id, state=state)

    async def _stored(self, request: m.ManifestStoredRequest) -> m.Done:
        self.announced.append(request)
        return m.Done()
