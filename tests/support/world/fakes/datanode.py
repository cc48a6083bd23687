"""A data node with flowgraphs that run and do nothing."""

from dataclasses import dataclass, field, replace

from headrace.meta.records import Role, SessionRecord, SessionState
from headrace.model.errors import Fenced
from headrace.rpc.messages import (
    AwaitTimestampsRequest,
    ChannelState,
    Done,
    NodeStateRequest,
    NodeStateResponse,
    ReleaseDmChannelRequest,
    SegmentFlushedRequest,
    Watch,
    WatchDmChannelsRequest,
)
from support.world.edges import Edges


@dataclass(slots=True)
class FakeNode:
    """`watches` are all that it accepted; `awaited` and `flushed` are what it was told."""

    edges: Edges
    server_id: int
    name: str
    address: str = ""
    states: dict[str, ChannelState] = field(default_factory=dict)
    watches: list[Watch] = field(default_factory=list)  # all that were accepted
    releases: list[ReleaseDmChannelRequest] = field(default_factory=list)
    awaited: dict[str, int] = field(default_factory=dict)
    flushed: list[SegmentFlushedRequest] = field(default_factory=list)
    highest: dict[str, int] = field(default_factory=dict)
    drains: bool = True  # whether a release is carried out
    refuses: bool = False  # whether watches are refused

    async def start(self) -> None:
        """Begin to answer."""
        server = self.edges.network.server(f"{self.name}:{self.server_id}")
        self.address = server.address
        await server.start(
            {
                WatchDmChannelsRequest: self._watch,
                ReleaseDmChannelRequest: self._release,
                NodeStateRequest: self._state,
                AwaitTimestampsRequest: self._await,
                SegmentFlushedRequest: self._flushed,
            }
        )

    def kill(self) -> None:
        """SIGKILL: the port refuses, the session stays until its lease ends."""
        self.edges.network.kill(self.address)
        self.states.clear()

    def register(self, state: SessionState = SessionState.HEALTHY) -> None:
        """Write its session, anew or with another state."""
        session = SessionRecord(
            role=Role.DATA_NODE,
            node_name=self.name,
            server_id=self.server_id,
            address=self.address,
            state=state,
        )
        self.edges.register(session)

    def fail(self, vchannel: str, reason: str) -> None:
        """A flowgraph ends by itself."""
        self.states[vchannel] = replace(self.states[vchannel], state="failed", reason=reason)

    async def _watch(self, request: WatchDmChannelsRequest) -> Done:
        if request.server_id != self.server_id or self.refuses:
            raise Fenced(f"this is process {self.server_id}")
        for watch in request.watches:
            state = self.states.get(watch.vchannel)
            if state is not None and state.epoch == watch.epoch and state.state == "running":
                continue
            if watch.epoch <= self.highest.get(watch.vchannel, 0):
                raise Fenced(f"{watch.vchannel}: epoch {watch.epoch} is not above the highest")
            self.highest[watch.vchannel] = watch.epoch
            self.watches.append(watch)
            self.states[watch.vchannel] = ChannelState(
                vchannel=watch.vchannel,
                epoch=watch.epoch,
                state="running",
                consumed=watch.seek,
                checkpoint=watch.seek,
                buffered_bytes=0,
            )
        return Done()

    async def _release(self, request: ReleaseDmChannelRequest) -> Done:
        if request.server_id != self.server_id:
            raise Fenced(f"this is process {self.server_id}")
        self.releases.append(request)
        state = self.states.get(request.vchannel)
        if self.drains and state is not None and state.epoch == request.epoch:
            self.states[request.vchannel] = replace(state, state="released")
        return Done()

    async def _state(self, request: NodeStateRequest) -> NodeStateResponse:
        if request.server_id != self.server_id:
            raise Fenced(f"this is process {self.server_id}")
        return NodeStateResponse(server_id=self.server_id, channels=tuple(self.states.values()))

    async def _await(self, request: AwaitTimestampsRequest) -> Done:
        for item in request.items:
            self.awaited[item.vchannel] = item.timestamp
        return Done()

    async def _flushed(self, request: SegmentFlushedRequest) -> Done:
        self.flushed.append(request)
        return Done()
