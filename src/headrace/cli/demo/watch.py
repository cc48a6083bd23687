"""Looks at the demo's data nodes: when to kill one, which one takes over, and how long that took.

It asks by the same rpc that the data service uses.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from headrace.app.edges import etcd_of
from headrace.app.settings import EtcdSettings
from headrace.meta.keys import Keys
from headrace.meta.records import LeaderRecord, Role, SessionRecord
from headrace.model import codec
from headrace.model.channel import parse_vchannel
from headrace.model.errors import HeadraceError
from headrace.rpc.grpc import GrpcPeers
from headrace.rpc.messages import (
    ChannelState,
    NodeStateRequest,
    SegmentInfo,
    SegmentsRequest,
)
from headrace.runtime.host import real_host

CALL_S = 2.0
POLL_S = 0.02


@dataclass
class Watcher:
    """Asks the data nodes and the data service; `say` is told each change of who watches what."""

    etcd: str
    say: Callable[[str], None]
    told: dict[str, str] = field(default_factory=dict)  # vchannel -> node that was last told

    def __post_init__(self) -> None:
        host = real_host()
        self._meta = etcd_of(EtcdSettings(endpoints=(self.etcd,)), host)
        self._peers = GrpcPeers(host.clock)
        self._keys = Keys()

    async def close(self) -> None:
        """Give the connections back."""
        await self._peers.close()
        await self._meta.close()

    async def channels(self, collection_id: int) -> dict[str, list[ChannelState]]:
        """By node name: its running flowgraphs of the collection. Nodes that do not answer lack."""
        found = await self._meta.range(self._keys.sessions_prefix(Role.DATA_NODE.value))
        sessions = [codec.decode(item.value, SessionRecord, item.key) for item in found.items]
        states: dict[str, list[ChannelState]] = {}
        for session in sessions:
            try:
                answer = await self._peers.call(
                    session.address, NodeStateRequest(session.server_id), timeout_s=CALL_S
                )
            except HeadraceError:
                continue
            states[session.node_name] = [
                c
                for c in answer.channels
                if parse_vchannel(c.vchannel).collection_id == collection_id
                and c.state == "running"
            ]
        self._tell(states)
        return states

    def _tell(self, states: dict[str, list[ChannelState]]) -> None:
        for node, channels in sorted(states.items()):
            for channel in channels:
                key = f"{channel.vchannel} epoch {channel.epoch}"
                if self.told.get(key) != node:
                    self.told[key] = node
                    self.say(f"{node} watches {channel.vchannel} (epoch {channel.epoch})")

    async def segments(self, collection_id: int) -> list[SegmentInfo]:
        """The collection's segments that were reported; none while nobody answers."""
        item = (await self._meta.get(self._keys.leader(Role.DATA_SERVICE.value))).first
        if item is None:
            return []
        leader = codec.decode(item.value, LeaderRecord, item.key)
        request = SegmentsRequest(collection_id=collection_id)
        try:
            answer = await self._peers.call(leader.address, request, timeout_s=CALL_S)
        except HeadraceError:
            return []
        return list(answer.segments)

    async def victim(self, collection_id: int, enough: Callable[[], bool]) -> str:
        """The first node that holds unstored rows of the collection after something was reported.

        Gives up waiting for the ideal moment when `enough()`; then any node that watches it.
        """
        while True:
            states = await self.channels(collection_id)
            reported = any(s.rows for s in await self.segments(collection_id))
            if reported:
                for node, channels in sorted(states.items()):
                    if any(c.buffered_bytes > 0 for c in channels):
                        return node
            if enough():
                return next((n for n, c in sorted(states.items()) if c), "")
            await asyncio.sleep(POLL_S)

    async def taken_over(self, collection_id: int, vchannels: set[str], dead: str) -> str:
        """Wait until another node has consumed a group of each of these; the last one's name."""
        while True:
            states = await self.channels(collection_id)
            consumed = {
                c.vchannel: node
                for node, channels in sorted(states.items())
                for c in channels
                if node != dead and c.consumed is not None
            }
            if vchannels <= set(consumed):
                return ", ".join(sorted({consumed[v] for v in vchannels}))
            await asyncio.sleep(POLL_S)
