"""Nodes: the data nodes' processes, when they are asked, and who of them may be used."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from headrace.dataservice.effects import AskNode, Effect, Release
from headrace.dataservice.placement.failover import Failovers
from headrace.dataservice.settings import DataServiceSettings
from headrace.meta.records import SessionRecord, SessionState
from headrace.model.channel import VChannel
from headrace.model.ids import Epoch, ServerId
from headrace.rpc.messages import ChannelState

_SOON_S = 0.2  # an answer that was lost is asked for again


@dataclass(slots=True)
class Node:
    """One process, with a session or (for a moment) without one. Times are monotonic seconds."""

    seen: SessionRecord
    session: bool = True
    asking: bool = False
    asked_at: float = float("-inf")
    ask_at: float = float("-inf")
    missed: int = 0  # questions in a row without an answer
    sending: bool = False
    hinting: bool = False
    strangers: tuple[tuple[VChannel, Epoch], ...] = ()  # watched there, and wanted elsewhere
    releasing: list[tuple[VChannel, Epoch]] = field(default_factory=list)
    buffered_bytes: int = 0
    trouble: str = ""

    @property
    def usable(self) -> bool:
        return self.session and self.seen.state is SessionState.HEALTHY

    @property
    def stopping(self) -> bool:
        return self.session and self.seen.state is SessionState.STOPPING


class Nodes:
    """The table. A process leaves it when it is gone and has no session."""

    def __init__(self, settings: DataServiceSettings, failovers: Failovers) -> None:
        self._settings = settings
        self._failovers = failovers
        self._table: dict[ServerId, Node] = {}
        self.joined_at = float("-inf")  # when a node last became usable

    def __iter__(self) -> Iterator[Node]:
        return iter(self._table.values())

    def get(self, server_id: ServerId) -> Node | None:
        return self._table.get(server_id)

    def usable(self) -> dict[str, Node]:
        return {n.seen.node_name: n for n in self._table.values() if n.usable}

    def see(self, nodes: Iterable[SessionRecord], now: float) -> None:
        """All sessions as they are."""
        present = {n.server_id: n for n in nodes}
        for server_id, node in self._table.items():
            if server_id not in present and node.session:
                node.session, node.ask_at = False, now
                self._failovers.session_ended(server_id, now)
        for server_id, seen in sorted(present.items()):
            node = self._table.setdefault(server_id, Node(seen))
            was_usable = node.usable and node.seen == seen
            node.seen, node.session = seen, True
            if node.usable and not was_usable:
                self.joined_at = now
            self._failovers.seen(server_id, seen.node_name)

    def answered(self, server_id: ServerId, states: Sequence[ChannelState], now: float) -> None:
        """It told what it watches."""
        self._failovers.answered(server_id, now)
        node = self._table.get(server_id)
        if node is not None:
            node.asking, node.missed, node.trouble = False, 0, ""
            node.ask_at = now + self._settings.poll_s
            node.buffered_bytes = sum(s.buffered_bytes for s in states)

    def not_reached(self, server_id: ServerId, reason: str, now: float, *, refused: bool) -> None:
        """Something sent to it got no answer; refused = our own connection was."""
        if refused:
            self._failovers.refused(server_id, now)
        node = self._table.get(server_id)
        if node is not None:
            node.missed += 1
            node.trouble = reason
            wait = _SOON_S if node.missed == 1 and not refused else self._settings.poll_s
            node.ask_at = now + wait

    def not_answered(self, server_id: ServerId) -> None:
        """A question about what it watches has ended without an answer."""
        node = self._table.get(server_id)
        if node is not None:
            node.asking = False

    def hint_ended(self, server_id: ServerId) -> None:
        """A hint was sent, or could not be."""
        node = self._table.get(server_id)
        if node is not None:
            node.hinting = False

    def suspect(self, server_id: ServerId, now: float) -> None:
        """A peer's connection to it failed: try our own at once."""
        node = self._table.get(server_id)
        if node is not None:
            node.ask_at = now

    def asks(self, now: float) -> list[Effect]:
        """Whom to ask now. Processes that are gone are asked too, as long as they have a session:
        they may be back."""
        effects: list[Effect] = []
        for server_id, node in self._table.items():
            if not node.asking and now >= node.ask_at:
                node.asking, node.asked_at = True, now
                effects.append(AskNode(server_id, node.seen.address))
        return effects

    def releases(self) -> list[Effect]:
        """Orders for what is watched somewhere and not wanted there: a node that watches it was
        replaced and does not know."""
        effects: list[Effect] = []
        for server_id, node in self._table.items():
            for vchannel, epoch in node.strangers:
                if (vchannel, epoch) not in node.releasing:
                    node.releasing.append((vchannel, epoch))
                    order = Release(server_id, node.seen.address, vchannel, epoch, False)
                    effects.append(order)
            node.strangers = ()
        return effects

    def released(self, server_id: ServerId, vchannel: VChannel, epoch: Epoch) -> None:
        """An order to release has ended, one way or the other; the next answer shows."""
        node = self._table.get(server_id)
        if node is not None and (vchannel, epoch) in node.releasing:
            node.releasing.remove((vchannel, epoch))

    def usable_names(self, now: float) -> tuple[str, ...]:
        """Names of the nodes that may be given vchannels now."""
        return tuple(
            sorted(
                n.seen.node_name
                for i, n in self._table.items()
                if n.usable and not self._failovers.is_gone(i, now)
            )
        )

    def forget_gone(self, now: float) -> bool:
        """Drop processes without a session that are gone; whether there were any."""
        self._failovers.forget_gone(now)
        gone = [i for i, n in self._table.items() if not n.session]
        gone = [i for i in gone if self._failovers.is_gone(i, now)]
        for server_id in gone:
            del self._table[server_id]
        return bool(gone)
