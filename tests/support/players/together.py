"""Plays `scenarios/together/*.txt`: data nodes and a data service, each by its machine.

Commands: `begin NAME` (a leading data service that knows this vchannel) · `node ID` (a data node
registers) · `gone ID` (its session ends) · `epoch NAME` (the data service's order to write one is
carried out) · `watch ID` (what it sends to a node arrives, and is answered) · `append ENTRIES` (one
message of the log) · `ID COMMAND` (a data node's command, as in `scenarios/datanode`) · `report ID
[lost]` (a node's oldest report goes to the data service and into meta; with `lost` its answer does
not come) · `service COMMAND` (as in `scenarios/dataservice`) · `committed NAME`.

Meta is `support.world.committed`: what becomes of a report is decided as in production. Lines begin
with whose they are: `1:` of data node 1, `service:`, `meta:`.
"""

from typing import Any

from headrace.datanode import effects as node_fx
from headrace.datanode import events as node_ev
from headrace.dataservice import effects as fx
from headrace.dataservice import events as ev
from headrace.dataservice.state.channel_state import VChannelState
from headrace.meta.records import DdlRecord, Role, SessionRecord, SessionState
from headrace.model.channel import Position
from headrace.model.entry import DdlKind
from headrace.model.errors import Fenced, HeadraceError
from headrace.model.segment import SegmentState
from headrace.rpc.messages import WatchDmChannelsRequest
from support.players.datanode import Player as NodePlayer
from support.players.datanode import told, vchannel
from support.players.dataservice import Player as ServicePlayer
from support.values.rows import SMALL
from support.world.committed import Committed

START = Position("p", 0, 0)


class Player:
    """The machines, and what stands in meta."""

    def __init__(self) -> None:
        self.meta = Committed()
        self.service = ServicePlayer()
        self.nodes: dict[int, NodePlayer] = {}
        self.sessions: list[int] = []
        self.writer = NodePlayer()  # its log is everybody's

    def play(self, command: str) -> list[str]:
        """Carry a command out; what it prints."""
        name, *words = command.split()
        if name.isdecimal():
            return said(name, self.nodes[int(name)].play(" ".join(words)))
        if name == "service":
            return said(name, self.service.play(" ".join(words)))
        if name == "append":
            self.writer.append(" ".join(words))
            return []
        printed: list[str] = getattr(self, f"_{name}")(*words)
        return printed

    # ---- who is there --------------------------------------------------------------------------

    def _begin(self, name: str) -> list[str]:
        known = vchannel(name)
        self.service.names[name] = known
        self.meta.create(known, START)
        epoch, checkpoint = self._seen(known)
        return said("service", self.service.step(ev.ChannelsListed((epoch,), (checkpoint,))))

    def _node(self, text: str) -> list[str]:
        node = NodePlayer()
        node.log = self.writer.log
        self.nodes[int(text)] = node
        self.sessions.append(int(text))
        printed = said(text, node.step(node_ev.Registered(int(text))))
        return printed + self._tell_sessions()

    def _gone(self, text: str) -> list[str]:
        self.sessions.remove(int(text))
        return self._tell_sessions()

    def _tell_sessions(self) -> list[str]:
        seen = tuple(
            SessionRecord(
                role=Role.DATA_NODE,
                node_name=f"n{n}",
                server_id=n,
                address=f"host:{n}",
                state=SessionState.HEALTHY,
            )
            for n in self.sessions
        )
        return said("service", self.service.step(ev.NodesChanged(seen)))

    # ---- what goes from one to the other -------------------------------------------------------

    def _epoch(self, name: str) -> list[str]:
        order = self.service.order(fx.WriteEpoch)
        assert order.vchannel == vchannel(name)
        self.meta.assign(order.vchannel, order.server_id, order.node_name)
        epoch, _ = self._seen(order.vchannel)
        assert epoch.record is not None
        written = ev.EpochWritten(order.vchannel, epoch.record, epoch.revision)
        return said("service", self.service.step(written) + self.service.step(epoch))

    def _watch(self, text: str) -> list[str]:
        order = self.service.order(fx.SendWatches)
        assert order.server_id == int(text)
        watches = tuple(self.meta.watch(v, [created(v)]) for v, _ in order.items)
        answer, printed = self._ask(
            text, node_ev.WatchArrived(1, WatchDmChannelsRequest(order.server_id, watches))
        )
        event: ev.Event = ev.WatchesAccepted(order.server_id, order.items)
        if isinstance(answer, Exception):
            fenced = isinstance(answer, Fenced)
            event = ev.WatchesNotAccepted(order.server_id, order.items, str(answer), fenced=fenced)
        return printed + said("service", self.service.step(event))

    def _report(self, text: str, *words: str) -> list[str]:
        node = self.nodes[int(text)]
        report = node.order(node_fx.SendReport).request
        call = 1000 + len(words)
        printed = said("service", self.service.step(ev.ReportArrived(call, report)))
        order = self.service.order(fx.CommitReport)
        before = self.meta.channels[report.vchannel]
        try:
            outcome = self.meta.save(order.report)
        except HeadraceError as error:
            printed.append(f"meta: {type(error).__name__} {error}")
            answered: ev.Event = ev.ReportRefused(order.call, report.vchannel, error)
            heard: node_ev.Event = node_ev.ReportRefused(
                report.vchannel, report.epoch, isinstance(error, Fenced), str(error)
            )
        else:
            printed.append(f"meta: {outcome}")
            flushed = tuple(flushed_by(before, self.meta.channels[report.vchannel]))
            answered = ev.ReportCommitted(
                order.call, report.vchannel, outcome, *self._seen(report.vchannel), flushed, True
            )
            heard = node_ev.ReportAnswered(report.vchannel, report.epoch, outcome)
        printed += said("service", self.service.step(answered))
        if "lost" in words:
            heard = node_ev.ReportUnanswered(report.vchannel, report.epoch, "no answer")
        return printed + said(text, node.step(heard))

    def _ask(self, text: str, event: node_ev.Event) -> tuple[Any, list[str]]:
        """What a node answers, and what it prints."""
        node = self.nodes[int(text)]
        effects = node.effects_of(event)
        answers = [e.response for e in effects if isinstance(e, node_fx.Answer)]
        return answers[0], said(text, node.told(effects))

    # ---- what stands ---------------------------------------------------------------------------

    def _committed(self, name: str) -> list[str]:
        channel = self.meta.channels[vchannel(name)]
        epoch, checkpoint = channel.epoch.value, channel.checkpoint.value
        return [
            f"epoch={epoch.epoch} of {epoch.server_id} checkpoint={told(checkpoint.position)}",
            *(
                f"segment {s.id} {channel.state_of(s)} rows={s.rows} "
                f"checkpoint={told(s.checkpoint)} "
                f"files={' '.join(f.key for f in s.files)}"
                for s in channel.all_segments()
            ),
        ]

    def _seen(self, known: str) -> tuple[ev.EpochSeen, ev.CheckpointSeen]:
        channel = self.meta.channels[known]
        return (
            ev.EpochSeen(known, channel.epoch.value, channel.epoch.revision),
            ev.CheckpointSeen(known, channel.checkpoint.value, channel.checkpoint.revision),
        )


def said(whose: str, lines: list[str]) -> list[str]:
    """The lines, with whose they are before them."""
    return [f"{whose}: {line}" for line in lines]


def created(known: str) -> DdlRecord:
    """The only version of the vchannel's collection."""
    return DdlRecord(
        collection_id=1,
        version=1,
        kind=DdlKind.CREATE,
        schema=SMALL,
        name="c",
        recorded=1,
        noted=True,
        positions={known: START},
    )


def flushed_by(before: VChannelState, after: VChannelState) -> list[int]:
    """The segments that became flushed by a commit."""
    done = {s.id for s in before.all_segments() if s.state is SegmentState.FLUSHED}
    return [
        s.id for s in after.all_segments() if s.state is SegmentState.FLUSHED and s.id not in done
    ]
