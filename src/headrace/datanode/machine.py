"""The data node's machine: which flowgraphs there are, and what happens to them.

**Owns** watches and releases, the dealing of messages to flowgraphs, what is done under memory
pressure, when checkpoints of idle vchannels are reported, and the end. **Does not own** what a
flowgraph does with its entries (`flowgraph`), who reads from where (`reading`), or I/O (`shell`).

Rows pass through and are never looked into; an entry costs O(1), and a vchannel to which nothing
happens costs nothing but its share of one report a minute.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import assert_never

from headrace.datanode import events as ev
from headrace.datanode.effects import (
    Answer,
    AskNewEpoch,
    Effect,
    Happening,
    SendMoves,
    Stopped,
    Tell,
)
from headrace.datanode.flowgraph import Flowgraph, Phase
from headrace.datanode.growing import policy
from headrace.datanode.handoff import HeldMessage
from headrace.datanode.reading import Reading
from headrace.datanode.report.idle import IdleReports
from headrace.datanode.settings import DataNodeSettings
from headrace.datanode.shared import Shared, new_budget
from headrace.datanode.watches import Verdict, Watches
from headrace.model.channel import VChannel
from headrace.model.errors import Conflict, Corrupt, Fenced, Unavailable
from headrace.model.ids import Epoch, ServerId
from headrace.rpc.messages import (
    ChannelState,
    Done,
    NewEpochRequest,
    NodeStateResponse,
    Watch,
)


class DataNodeMachine:
    """One node. `flows` has the present flowgraph of each vchannel, an ended one until its
    successor is watched."""

    def __init__(self, settings: DataNodeSettings) -> None:
        self.shared = Shared(settings, new_budget(settings))
        self.flows: dict[VChannel, Flowgraph] = {}
        self._reading = Reading(self.shared, self.flows)
        self._watches = Watches()
        self._idle = IdleReports(settings.idle_report_s, settings.moves_most)
        self._busy: dict[VChannel, None] = {}  # something is buffered
        self._starting: dict[VChannel, None] = {}
        self._have_read = False  # of those that start, some may have begun to read
        self._look: dict[VChannel, None] = {}  # somebody waits, and something has changed
        self._asks: dict[VChannel, AskNewEpoch] = {}
        self._stopping = False
        self._stopped = False

    def step(self, event: ev.Event, now: float) -> Sequence[Effect]:
        """See `runtime.driver.Machine`."""
        orders: list[Effect] = []
        self.shared.orders = orders
        self._handle(event, now)
        self._settle(now)
        return orders

    def _handle(self, event: ev.Event, now: float) -> None:
        match event:
            case ev.GroupsFetched():
                self._fetched(event, now)
            case ev.FetchEnded():
                self._reading.returned(event.reader, [])
            case (
                ev.PackEncoded()
                | ev.PackRefused()
                | ev.ObjectsStored()
                | ev.PutFailed()
                | ev.ReportAnswered()
                | ev.ReportRefused()
                | ev.ReportUnanswered()
            ):
                self._of_flowgraph(event)
            case (
                ev.WatchArrived()
                | ev.ReleaseArrived()
                | ev.StateAsked()
                | ev.AwaitArrived()
                | ev.FlushAnnounced()
            ):
                self._requested(event, now)
            case (
                ev.MovesAnswered()
                | ev.MovesUnanswered()
                | ev.NewEpochAnswered()
                | ev.NewEpochUnanswered()
            ):
                self._told(event)
            case ev.Registered() | ev.RegistrationLost() | ev.StopAsked() | ev.TimePassed():
                self._node(event, now)
            case _:
                assert_never(event)

    # ---- the node ----------------------------------------------------------------------------

    def _node(self, event: ev.NodeEvent, now: float) -> None:
        match event:
            case ev.Registered():
                self.shared.server_id, self.shared.registered = event.server_id, True
                for flow in self._live():
                    flow.report()
                self._send_moves()
            case ev.RegistrationLost():
                self.shared.registered = False
            case ev.StopAsked():
                self._stopping = True
                for flow in self._live():
                    self._drain(flow, now)
            case ev.TimePassed():
                for vchannel in list(self._busy):
                    flow = self.flows[vchannel]
                    self._attempt(flow, partial(flow.sync_overdue, now))
                self._idle.begin_round(self.flows, now)
                self._look.update(dict.fromkeys(self._idle.awaited))

    def _live(self) -> list[Flowgraph]:
        return [f for f in self.flows.values() if not f.ended]

    # ---- requests ----------------------------------------------------------------------------

    def _requested(self, event: ev.Request, now: float) -> None:
        request = event.request
        server_id = getattr(request, "server_id", self.shared.server_id)
        if not self.shared.server_id or server_id != self.shared.server_id:
            self._answer(event.call, self._not_us(server_id))
            return
        match event:
            case ev.WatchArrived():
                self._answer(event.call, self._watch(event.request.watches))
            case ev.ReleaseArrived():
                self._release(event, now)
            case ev.StateAsked():
                states = self.states(now)
                self._answer(event.call, NodeStateResponse(server_id=server_id, channels=states))
            case ev.AwaitArrived():
                for item in event.request.items:
                    if item.vchannel in self.flows:
                        self._idle.await_timestamp(item.vchannel, item.timestamp)
                        self._look[item.vchannel] = None
                self._answer(event.call, Done())
            case ev.FlushAnnounced():
                # The node knows from its own reports; the announcement is for those who do not.
                self._answer(event.call, Done())

    def _not_us(self, server_id: ServerId) -> Fenced | Unavailable:
        if not self.shared.server_id:
            return Unavailable("this data node is not registered yet")
        return Fenced(f"this data node is server {self.shared.server_id}, not {server_id}")

    def _watch(self, watches: Sequence[Watch]) -> Done | Conflict | Unavailable:
        if self._stopping:
            return Unavailable("this data node is stopping")
        refused = [w for w in watches if not self._accept(w)]
        if not refused:
            return Done()
        names = ", ".join(f"epoch {w.epoch} of {w.vchannel}" for w in refused)
        return Conflict(f"watched or released here before, or replaced by a higher one: {names}")

    def _accept(self, watch: Watch) -> bool:
        old = self.flows.get(watch.vchannel)
        running = old.epoch if old is not None and not old.ended else None
        verdict = self._watches.judge(watch.vchannel, watch.epoch, running)
        if verdict is Verdict.STARTS:
            self._start(watch, old)
        return verdict is not Verdict.REFUSED

    def _start(self, watch: Watch, old: Flowgraph | None) -> None:
        if old is not None and not old.ended:
            self._end(old, Phase.RELEASED, f"replaced by epoch {watch.epoch}")
        self._asks.pop(watch.vchannel, None)
        flow = Flowgraph(watch, self.shared, self._reading.join(watch.vchannel, watch.seek))
        self.flows[watch.vchannel] = flow
        self._starting[watch.vchannel] = None
        self._have_read = True
        self.shared.orders.append(
            Tell(
                Happening.WATCHED,
                flow.vchannel,
                flow.epoch,
                position=watch.seek.timestamp,
                segments=tuple(s.segment_id for s in watch.segments),
            )
        )

    def _release(self, event: ev.ReleaseArrived, now: float) -> None:
        request = event.request
        self._watches.released(request.vchannel, request.epoch)
        flow = self.flows.get(request.vchannel)
        if flow is not None and not flow.ended and flow.epoch <= request.epoch:
            if request.drain and flow.epoch == request.epoch:
                self._drain(flow, now)
            else:
                self._end(flow, Phase.RELEASED, "released")
        self._answer(event.call, Done())

    def _answer(self, call: ev.Call, response: object) -> None:
        self.shared.orders.append(Answer(call, response))

    # ---- entries -----------------------------------------------------------------------------

    def _fetched(self, event: ev.GroupsFetched, now: float) -> None:
        reader = self._reading.returned(event.reader, [g.size_bytes for g in event.groups])
        if reader is None:
            return
        self._have_read = True
        fan = self._reading.fan_of(reader)
        corrupt = event.corrupt
        for fetched in event.groups:
            try:
                shares = fan.deal(reader, fetched)
            except Corrupt as error:
                corrupt = error.message
                break
            message = HeldMessage(fetched.size_bytes)
            for vchannel, entries in shares:
                flow = self.flows[vchannel]
                if flow.reads:
                    self._attempt(
                        flow, partial(flow.take, fetched.message_id, entries, message, now)
                    )
        if corrupt:
            for vchannel in fan.broken(reader):
                self._fail(self.flows[vchannel], corrupt)
        if self._idle.awaited:
            self._look.update(dict.fromkeys(v for v in self._idle.awaited if v in reader.members))

    def _attempt(self, flow: Flowgraph, work: Callable[[], None]) -> None:
        """Have a flowgraph do something; what is corrupt ends it and no other."""
        try:
            work()
        except Corrupt as error:
            self._fail(flow, error.message)
        self._note(flow)

    def _note(self, flow: Flowgraph) -> None:
        """Keep the books on a flowgraph to which something happened."""
        if flow.ended or (flow.buffers.empty and flow.phase is not Phase.DRAINING):
            self._busy.pop(flow.vchannel, None)
        else:
            self._busy[flow.vchannel] = None
        if not flow.reads:
            self._reading.leave(flow)
        if flow.ended:
            self._starting.pop(flow.vchannel, None)
            self._idle.awaited.pop(flow.vchannel, None)
        gone = flow.ended and flow.reason == "dropped"
        if gone and self.flows.get(flow.vchannel) is flow:
            self._tell(Happening.DROPPED, flow)
            del self.flows[flow.vchannel]

    # ---- syncs and reports -------------------------------------------------------------------

    def _of_flowgraph(self, event: ev.FlowgraphEvent) -> None:
        flow = self.flows.get(event.vchannel)
        if flow is None or flow.epoch != event.epoch or flow.ended:
            self._too_late(event)
            return
        match event:
            case ev.PackEncoded():
                flow.encoded(event.encoded)
            case ev.ObjectsStored():
                flow.stored(event.number)
            case ev.PutFailed():
                if flow.put_failed(event.number, event.stored, event.reason) == 1:
                    self._tell(Happening.PUT_FAILED, flow, event.reason)
            case ev.PackRefused():
                self._written(event.vchannel, event.epoch, event.number)
                if flow.awaits(event.number):
                    self._fail(flow, event.reason)
            case ev.ReportAnswered():
                self._attempt(flow, partial(flow.answered, event.outcome))
                if flow.vchannel in self._idle.awaited:
                    self._look[flow.vchannel] = None
            case ev.ReportUnanswered():
                flow.unanswered(event.reason)
            case ev.ReportRefused():
                if event.fenced:
                    self._end(flow, Phase.RELEASED, f"fenced: {event.reason}")
                else:
                    self._fail(flow, event.reason)
            case _:
                assert_never(event)
        self._note(flow)

    def _too_late(self, event: ev.FlowgraphEvent) -> None:
        """The flowgraph has ended: only the memory of its syncs is still to be freed."""
        match event:
            case ev.PackEncoded():
                self._written(event.vchannel, event.epoch, event.encoded.number)
            case ev.ObjectsStored() | ev.PutFailed() | ev.PackRefused():
                self._written(event.vchannel, event.epoch, event.number)
            case ev.ReportAnswered() | ev.ReportRefused() | ev.ReportUnanswered():
                return
            case _:
                assert_never(event)

    def _written(self, vchannel: VChannel, epoch: Epoch, number: int) -> None:
        self.shared.budget.written((vchannel, epoch, number))

    def _told(self, event: ev.AskEvent) -> None:
        match event:
            case ev.MovesAnswered():
                for move in self._idle.answered():
                    flow = self.flows.get(move.vchannel)
                    if flow is not None and flow.epoch == move.epoch and not flow.ended:
                        flow.moved(move.checkpoint, move.vchannel in event.left_out)
                        self._note(flow)
                self._look.update(dict.fromkeys(self._idle.awaited))
            case ev.MovesUnanswered():
                self._idle.failed()
                self._send_moves()
            case ev.NewEpochAnswered():
                ask = self._asks.get(event.vchannel)
                if ask is not None and ask.request.epoch == event.epoch:
                    del self._asks[event.vchannel]
            case ev.NewEpochUnanswered():
                ask = self._asks.get(event.vchannel)
                if ask is not None and ask.request.epoch == event.epoch:
                    self._ask(AskNewEpoch(ask.request, ask.attempt + 1))
            case _:
                assert_never(event)

    # ---- ends --------------------------------------------------------------------------------

    def _drain(self, flow: Flowgraph, now: float) -> None:
        if flow.phase is not Phase.DRAINING:
            self._reading.leave(flow)
            self._starting.pop(flow.vchannel, None)
            self._tell(Happening.DRAINING, flow)
            self._attempt(flow, partial(flow.drain, now))

    def _end(self, flow: Flowgraph, phase: Phase, reason: str) -> None:
        self._reading.leave(flow)
        flow.end(phase, reason)
        self._note(flow)
        self._tell(Happening.ENDED, flow, reason)

    def _fail(self, flow: Flowgraph, reason: str) -> None:
        """End a flowgraph that cannot go on, and ask for a new epoch."""
        self._reading.leave(flow)
        flow.end(Phase.FAILED, reason)
        self._note(flow)
        self._tell(Happening.FAILED, flow, reason)
        self._ask_anew(flow.vchannel, flow.epoch, reason)

    def _ask_anew(self, vchannel: VChannel, epoch: Epoch, reason: str) -> None:
        request = NewEpochRequest(
            server_id=self.shared.server_id, vchannel=vchannel, epoch=epoch, reason=reason
        )
        self._ask(AskNewEpoch(request, 0))

    def _ask(self, ask: AskNewEpoch) -> None:
        self._asks[ask.request.vchannel] = ask
        self.shared.orders.append(ask)

    def _tell(self, happening: Happening, flow: Flowgraph, reason: str = "") -> None:
        self.shared.orders.append(Tell(happening, flow.vchannel, flow.epoch, reason))

    # ---- after each event --------------------------------------------------------------------

    def _settle(self, now: float) -> None:
        self._relieve(now)
        self._serve_waiting(now)
        self._begin_moves()
        self._reading.settle()
        if self._have_read:
            self._have_read = False
            for flow in [self.flows[v] for v in self._starting]:
                if self._reading.has_read(flow):
                    del self._starting[flow.vchannel]
                    flow.phase = Phase.RUNNING
                    self._tell(Happening.RUNNING, flow)
        if self._stopping and not self._stopped and not self._live():
            self._stopped = True
            self.shared.orders.append(Stopped())

    def _relieve(self, now: float) -> None:
        """Above the soft mark: sync the largest and the oldest, until what waits is well below."""
        budget = self.shared.budget
        if not budget.pressed:
            return
        busy = [self.flows[v] for v in self._busy]
        choices = [(choice, flow) for flow in busy for choice in policy.held(flow.buffers)]
        largest = sorted(choices, key=lambda c: -c[0].size_bytes)
        oldest = sorted(choices, key=lambda c: c[0].first)
        for pair in zip(largest, oldest, strict=True):
            for choice, flow in pair:
                if budget.relieved or not budget.may_store:
                    return
                due = policy.for_memory(flow.buffers, choice)
                self._attempt(flow, partial(flow.sync, due, now))

    def _serve_waiting(self, now: float) -> None:
        """Somebody waits for checkpoints: cut what holds them."""
        for vchannel in list(self._look):
            flow = self.flows.get(vchannel)
            if flow is None or flow.ended:
                self._idle.awaited.pop(vchannel, None)
                del self._look[vchannel]
            elif self._idle.settled(vchannel, flow.checkpoint.timestamp):
                del self._look[vchannel]
            else:
                until = self._idle.awaited[vchannel]
                self._attempt(flow, partial(flow.sync_up_to, until, now))

    def _begin_moves(self) -> None:
        """Report checkpoints that nothing else reports: of idle vchannels, and where somebody
        waits."""
        idle = self._idle
        if idle.moving is not None or not (idle.due or self._look) or not self.shared.registered:
            return
        moves = []
        for vchannel, is_due in idle.candidates(self._look):
            flow = self.flows.get(vchannel)
            move = flow.move() if flow is not None else None
            if flow is not None and move is not None:
                wanted = idle.awaited.get(vchannel)
                if is_due or (wanted is not None and move.checkpoint.passed(wanted)):
                    flow.moving = True
                    moves.append(move)
        self._look.clear()
        idle.begin(self.shared.server_id, moves)
        self._send_moves()

    def _send_moves(self) -> None:
        moving = self._idle.moving
        if moving is not None and not moving.sent and self.shared.registered:
            moving.sent = True
            self.shared.orders.append(SendMoves(moving.request, moving.attempt))

    # ---- what it says of itself --------------------------------------------------------------

    def states(self, now: float) -> tuple[ChannelState, ...]:
        """Of all flowgraphs, ended ones until their successor is watched."""
        return tuple(flow.state(now) for flow in self.flows.values())

    def validate(self) -> None:
        """See `runtime.driver.Machine`."""
        self.shared.budget.validate()
        self._reading.validate()
        for vchannel, flow in self.flows.items():
            assert vchannel == flow.vchannel
            flow.validate()
            assert flow.buffers.empty or vchannel in self._busy, vchannel
            if flow.moving and not flow.ended:
                assert self._idle.holds(vchannel, flow.epoch), vchannel
