"""The data node's machine: which flowgraphs there are, and what happens to them.

It starts a flowgraph for each watch and ends it at a release, hands each its entries, cuts buffers
under memory pressure, and reports the checkpoints of idle vchannels. Rows pass through and are
never looked into. An entry costs O(1), and a vchannel to which nothing happens costs nothing but
its share of one report a minute.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import assert_never

from headrace.datanode import effects as fx
from headrace.datanode import events as ev
from headrace.datanode.budget import Budget
from headrace.datanode.consume.reading import PChannelReaders
from headrace.datanode.flowgraph import Flowgraph, Phase, Shared
from headrace.datanode.growing import policy
from headrace.datanode.handoff import HeldMessage, SyncKey
from headrace.datanode.report.idle import IdleReports
from headrace.datanode.settings import DataNodeSettings
from headrace.model.channel import VChannel
from headrace.model.errors import Conflict, Corrupt, Fenced, Unavailable
from headrace.model.ids import Epoch
from headrace.rpc.messages import (
    ChannelState,
    Done,
    NewEpochRequest,
    NodeStateResponse,
    Watch,
)
from headrace.runtime.driver import Machine


class DataNodeMachine(Machine[ev.Event, fx.Effect]):
    """One node. `flows` has the present flowgraph of each vchannel, an ended one until its
    successor is watched."""

    def __init__(self, settings: DataNodeSettings) -> None:
        self.budget = Budget.of(settings)
        self.shared = Shared(settings, self.budget)
        self.flows: dict[VChannel, Flowgraph] = {}
        self._reading = PChannelReaders(settings, self.budget, self.flows)
        self._highest: dict[VChannel, Epoch] = {}  # epochs that were watched or released here
        self._idle = IdleReports(settings.idle_report_s, settings.moves_most)
        self._busy: dict[VChannel, None] = {}  # something is buffered
        self._starting: dict[VChannel, None] = {}
        self._have_read = False  # of those that start, some may have begun to read
        self._look: dict[VChannel, None] = {}  # a caller waits, and something has changed
        self._asks: dict[VChannel, fx.AskNewEpoch] = {}
        self._stopping = False
        self._stopped = False

    def step(self, event: ev.Event, now: float) -> Sequence[fx.Effect]:
        return [*self._handle(event, now), *self._settle(now)]

    def _handle(self, event: ev.Event, now: float) -> list[fx.Effect]:
        if isinstance(event, ev.Request) and (refusal := self._misdirected(event)):
            return refusal
        match event:
            case ev.Registered():
                return self._registered(event)
            case ev.RegistrationLost():
                self.shared.registered = False
                return []
            case ev.StopAsked():
                self._stopping = True
                return [e for flow in self._live() for e in self._drain(flow, now)]
            case ev.TimePassed():
                return self._time_passed(now)
            case ev.WatchArrived():
                return self._watch_arrived(event)
            case ev.ReleaseArrived():
                return self._release_arrived(event, now)
            case ev.StateAsked():
                return self._state_asked(event, now)
            case ev.AwaitArrived():
                return self._await_arrived(event)
            case ev.FlushAnnounced():
                return self._flush_announced(event)
            case ev.GroupsFetched():
                return self._groups_fetched(event, now)
            case ev.FetchEnded():
                self._reading.returned(event.reader, [])
                return []
            case ev.PackEncoded():
                return self._pack_encoded(event)
            case ev.PackRefused():
                return self._pack_refused(event)
            case ev.ObjectsStored():
                return self._objects_stored(event)
            case ev.PutFailed():
                return self._put_failed(event)
            case ev.ReportAnswered():
                return self._report_answered(event)
            case ev.ReportRefused():
                return self._report_refused(event)
            case ev.ReportUnanswered():
                return self._report_unanswered(event)
            case ev.MovesAnswered():
                return self._moves_answered(event)
            case ev.MovesUnanswered():
                self._idle.failed()
                return self._send_moves()
            case ev.NewEpochAnswered():
                if self._asked(event):
                    del self._asks[event.vchannel]
                return []
            case ev.NewEpochUnanswered():
                ask = self._asked(event)
                return [self._ask(ask.request, ask.attempt + 1)] if ask is not None else []
            case _:
                assert_never(event)

    def _live(self) -> list[Flowgraph]:
        return [f for f in self.flows.values() if not f.ended]

    def _flow(self, vchannel: VChannel, epoch: Epoch | None = None) -> Flowgraph | None:
        """The flowgraph that runs, if it is of this epoch."""
        flow = self.flows.get(vchannel)
        if flow is None or flow.ended or epoch not in (None, flow.epoch):
            return None
        return flow

    # ---- the node ----------------------------------------------------------------------------

    def _registered(self, event: ev.Registered) -> list[fx.Effect]:
        self.shared.server_id, self.shared.registered = event.server_id, True
        reports = [e for flow in self._live() for e in flow.report()]
        return [*reports, *self._send_moves()]

    def _time_passed(self, now: float) -> list[fx.Effect]:
        effects: list[fx.Effect] = []
        for vchannel in list(self._busy):
            flow = self.flows[vchannel]
            effects += self._attempt(flow, partial(flow.sync_overdue, now))
        self._idle.begin_round(self.flows, now)
        self._look.update(dict.fromkeys(self._idle.awaited))
        return effects

    # ---- requests ----------------------------------------------------------------------------

    def _misdirected(self, event: ev.Request) -> list[fx.Effect]:
        """The refusal of a request that is not for this process; nothing if it is."""
        own = self.shared.server_id
        if not own:
            return [fx.Answer(event.call, Unavailable("this data node is not registered yet"))]
        meant = getattr(event.request, "server_id", own)
        if meant == own:
            return []
        return [fx.Answer(event.call, Fenced(f"this data node is server {own}, not {meant}"))]

    def _watch_arrived(self, event: ev.WatchArrived) -> list[fx.Effect]:
        if self._stopping:
            return [fx.Answer(event.call, Unavailable("this data node is stopping"))]
        effects: list[fx.Effect] = []
        refused = []
        for watch in event.request.watches:
            running = self._flow(watch.vchannel)
            if running is not None and running.epoch == watch.epoch:
                continue
            # CH-1: an epoch starts once. What was stopped never starts again under it, since copies
            # of its reports may still be on their way, and its object keys are taken.
            if watch.epoch <= self._highest.get(watch.vchannel, -1):
                refused.append(f"epoch {watch.epoch} of {watch.vchannel}")
            else:
                effects += self._start(watch, running)
        if not refused:
            return [*effects, fx.Answer(event.call, Done())]
        what = "watched or released here before, or replaced by a higher one"
        return [*effects, fx.Answer(event.call, Conflict(f"{what}: {', '.join(refused)}"))]

    def _start(self, watch: Watch, running: Flowgraph | None) -> list[fx.Effect]:
        vchannel, epoch = watch.vchannel, watch.epoch
        ended = self._end(running, f"replaced by epoch {epoch}") if running is not None else []
        self._asks.pop(vchannel, None)
        self._highest[vchannel] = epoch
        consumer = self._reading.join(vchannel, watch.seek)
        self.flows[vchannel] = Flowgraph(watch, self.shared, consumer)
        self._starting[vchannel] = None
        self._have_read = True
        segments = tuple(s.segment_id for s in watch.segments)
        position = watch.seek.timestamp
        told = fx.Tell(
            fx.FlowgraphNotice.WATCHED, vchannel, epoch, position=position, segments=segments
        )
        return [*ended, told]

    def _release_arrived(self, event: ev.ReleaseArrived, now: float) -> list[fx.Effect]:
        request = event.request
        # The watch of an epoch may arrive after its release, which has ended it.
        highest = self._highest.get(request.vchannel, -1)
        self._highest[request.vchannel] = max(request.epoch, highest)
        flow = self._flow(request.vchannel)
        effects: list[fx.Effect] = []
        if flow is not None and flow.epoch <= request.epoch:
            drains = request.drain and flow.epoch == request.epoch
            effects = self._drain(flow, now) if drains else self._end(flow, "released")
        return [*effects, fx.Answer(event.call, Done())]

    def _state_asked(self, event: ev.StateAsked, now: float) -> list[fx.Effect]:
        states = NodeStateResponse(server_id=self.shared.server_id, channels=self.states(now))
        return [fx.Answer(event.call, states)]

    def _await_arrived(self, event: ev.AwaitArrived) -> list[fx.Effect]:
        for item in event.request.items:
            if item.vchannel in self.flows:
                self._idle.await_timestamp(item.vchannel, item.timestamp)
                self._look[item.vchannel] = None
        return [fx.Answer(event.call, Done())]

    def _flush_announced(self, event: ev.FlushAnnounced) -> list[fx.Effect]:
        flow = self._flow(event.request.vchannel)
        if flow is not None:
            flow.announced(event.request.segment_ids)
        return [fx.Answer(event.call, Done())]

    # ---- entries -----------------------------------------------------------------------------

    def _groups_fetched(self, event: ev.GroupsFetched, now: float) -> list[fx.Effect]:
        reader = self._reading.returned(event.reader, [g.size_bytes for g in event.groups])
        if reader is None:
            return []
        self._have_read = True
        demux = self._reading.demux_of(reader)
        corrupt = event.corrupt
        effects: list[fx.Effect] = []
        for fetched in event.groups:
            try:
                shares = demux.deal(reader, fetched)
            except Corrupt as error:
                corrupt = error.message
                break
            message, message_id = HeldMessage(fetched.size_bytes), fetched.message_id
            for vchannel, entries in shares:
                flow = self.flows[vchannel]
                if flow.reads:
                    take = partial(flow.take, message_id, entries, message, now)
                    effects += self._attempt(flow, take)
        if corrupt:
            for vchannel in demux.broken(reader):
                effects += self._fail(self.flows[vchannel], corrupt)
        if self._idle.awaited:
            self._look.update(dict.fromkeys(v for v in self._idle.awaited if v in reader.consumers))
        return effects

    def _attempt(self, flow: Flowgraph, work: Callable[[], list[fx.Effect]]) -> list[fx.Effect]:
        """Have a flowgraph do something; what is corrupt ends it and no other."""
        try:
            effects = work()
        except Corrupt as error:
            return self._fail(flow, error.message)
        return [*effects, *self._note(flow)]

    def _note(self, flow: Flowgraph) -> list[fx.Effect]:
        """Keep the books on a flowgraph to which something happened."""
        vchannel = flow.vchannel
        if flow.ended or (flow.buffers.empty and flow.phase is not Phase.DRAINING):
            self._busy.pop(vchannel, None)
        else:
            self._busy[vchannel] = None
        if not flow.reads:
            self._reading.leave(flow.consumer)
        if flow.ended:
            self._starting.pop(vchannel, None)
            self._idle.awaited.pop(vchannel, None)
        if not flow.dropped or self.flows.get(vchannel) is not flow:
            return []
        del self.flows[vchannel]
        return [fx.Tell(fx.FlowgraphNotice.DROPPED, vchannel, flow.epoch)]

    # ---- syncs and reports -------------------------------------------------------------------

    def _waiting(self, key: SyncKey) -> Flowgraph | None:
        """The flowgraph that waits for a sync. If none does, the sync's memory is freed."""
        flow = self._flow(key.vchannel, key.epoch)
        if flow is not None and flow.awaits(key.number):
            return flow
        self.budget.written(key)
        return None

    def _pack_encoded(self, event: ev.PackEncoded) -> list[fx.Effect]:
        flow = self._waiting(event.pack.key)
        return [*flow.encoded(event.pack), *self._note(flow)] if flow is not None else []

    def _pack_refused(self, event: ev.PackRefused) -> list[fx.Effect]:
        flow = self._waiting(event.key)
        if flow is None:
            return []
        self.budget.written(event.key)
        return self._fail(flow, event.reason)

    def _objects_stored(self, event: ev.ObjectsStored) -> list[fx.Effect]:
        flow = self._waiting(event.key)
        return [*flow.stored(event.key.number), *self._note(flow)] if flow is not None else []

    def _put_failed(self, event: ev.PutFailed) -> list[fx.Effect]:
        flow = self._waiting(event.key)
        if flow is None:
            return []
        return flow.put_failed(event.key.number, event.stored, event.reason)

    def _report_answered(self, event: ev.ReportAnswered) -> list[fx.Effect]:
        flow = self._flow(event.vchannel, event.epoch)
        if flow is None:
            return []
        effects = self._attempt(flow, partial(flow.answered, event.outcome))
        if flow.vchannel in self._idle.awaited:
            self._look[flow.vchannel] = None
        return effects

    def _report_refused(self, event: ev.ReportRefused) -> list[fx.Effect]:
        flow = self._flow(event.vchannel, event.epoch)
        if flow is None:
            return []
        if event.fenced:
            return self._end(flow, f"fenced: {event.reason}")
        return self._fail(flow, event.reason)

    def _report_unanswered(self, event: ev.ReportUnanswered) -> list[fx.Effect]:
        flow = self._flow(event.vchannel, event.epoch)
        return flow.unanswered(event.reason) if flow is not None else []

    def _moves_answered(self, event: ev.MovesAnswered) -> list[fx.Effect]:
        effects: list[fx.Effect] = []
        for move in self._idle.answered():
            flow = self._flow(move.vchannel, move.epoch)
            if flow is not None:
                effects += flow.moved(move.checkpoint, move.vchannel in event.left_out)
                effects += self._note(flow)
        self._look.update(dict.fromkeys(self._idle.awaited))
        return effects

    # ---- ends --------------------------------------------------------------------------------

    def _drain(self, flow: Flowgraph, now: float) -> list[fx.Effect]:
        if flow.phase is Phase.DRAINING:
            return []
        self._reading.leave(flow.consumer)
        self._starting.pop(flow.vchannel, None)
        told = fx.Tell(fx.FlowgraphNotice.DRAINING, flow.vchannel, flow.epoch)
        return [told, *self._attempt(flow, partial(flow.drain, now))]

    def _end(self, flow: Flowgraph, reason: str) -> list[fx.Effect]:
        flow.end(Phase.RELEASED, reason)
        return [
            *self._note(flow),
            fx.Tell(fx.FlowgraphNotice.ENDED, flow.vchannel, flow.epoch, reason),
        ]

    def _fail(self, flow: Flowgraph, reason: str) -> list[fx.Effect]:
        """End a flowgraph that cannot go on, and ask for a new epoch."""
        vchannel, epoch = flow.vchannel, flow.epoch
        flow.end(Phase.FAILED, reason)
        request = NewEpochRequest(
            server_id=self.shared.server_id, vchannel=vchannel, epoch=epoch, reason=reason
        )
        told = fx.Tell(fx.FlowgraphNotice.FAILED, vchannel, epoch, reason)
        return [*self._note(flow), told, self._ask(request, 0)]

    def _ask(self, request: NewEpochRequest, attempt: int) -> fx.AskNewEpoch:
        ask = self._asks[request.vchannel] = fx.AskNewEpoch(request, attempt)
        return ask

    def _asked(self, event: ev.NewEpochAnswered | ev.NewEpochUnanswered) -> fx.AskNewEpoch | None:
        """The question that this is about, if it still waits for its answer."""
        ask = self._asks.get(event.vchannel)
        return ask if ask is not None and ask.request.epoch == event.epoch else None

    # ---- after each event --------------------------------------------------------------------

    def _settle(self, now: float) -> list[fx.Effect]:
        effects = [
            *self._relieve(now),
            *self._serve_waiting(now),
            *self._begin_moves(),
            *self._reading.settle(),
        ]
        if self._have_read:
            self._have_read = False
            for flow in [self.flows[v] for v in self._starting]:
                if flow.consumer.has_read:
                    del self._starting[flow.vchannel]
                    flow.phase = Phase.RUNNING
                    effects.append(fx.Tell(fx.FlowgraphNotice.RUNNING, flow.vchannel, flow.epoch))
        if self._stopping and not self._stopped and not self._live():
            self._stopped = True
            effects.append(fx.Stopped())
        return effects

    def _relieve(self, now: float) -> list[fx.Effect]:
        """Above the soft mark: sync the largest and the oldest, until what waits is well below."""
        effects: list[fx.Effect] = []
        budget = self.budget
        if not budget.pressed:
            return effects
        busy = [self.flows[v] for v in self._busy]
        choices = [(choice, flow) for flow in busy for choice in policy.held(flow.buffers)]
        largest = sorted(choices, key=lambda c: -c[0].size_bytes)
        oldest = sorted(choices, key=lambda c: c[0].first)
        for choice, flow in (c for pair in zip(largest, oldest, strict=True) for c in pair):
            if budget.relieved or not budget.may_store:
                break
            due = policy.for_memory(flow.buffers, choice)
            effects += self._attempt(flow, partial(flow.sync, due, now))
        return effects

    def _serve_waiting(self, now: float) -> list[fx.Effect]:
        """A caller waits for checkpoints: cut what holds them."""
        effects: list[fx.Effect] = []
        for vchannel in list(self._look):
            flow = self._flow(vchannel)
            if flow is None:
                self._idle.awaited.pop(vchannel, None)
                del self._look[vchannel]
            elif self._idle.settled(vchannel, flow.checkpoint.timestamp):
                del self._look[vchannel]
            else:
                until = self._idle.awaited[vchannel]
                effects += self._attempt(flow, partial(flow.sync_up_to, until, now))
        return effects

    def _begin_moves(self) -> list[fx.Effect]:
        """Report checkpoints that nothing else reports: of idle vchannels, and where a caller
        waits."""
        idle = self._idle
        if idle.moving is not None or not (idle.due or self._look) or not self.shared.registered:
            return []
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
        return self._send_moves()

    def _send_moves(self) -> list[fx.Effect]:
        moving = self._idle.moving
        if moving is None or moving.sent or not self.shared.registered:
            return []
        moving.sent = True
        return [fx.SendMoves(moving.request, moving.attempt)]

    # ---- what it says of itself --------------------------------------------------------------

    def states(self, now: float) -> tuple[ChannelState, ...]:
        """Of all flowgraphs, ended ones until their successor is watched."""
        return tuple(flow.state(now) for flow in self.flows.values())

    def validate(self) -> None:
        self.budget.validate()
        self._reading.validate()
        for vchannel, flow in self.flows.items():
            assert vchannel == flow.vchannel
            flow.validate()
            assert flow.buffers.empty or vchannel in self._busy, vchannel
            if flow.moving and not flow.ended:
                assert self._idle.holds(vchannel, flow.epoch), vchannel
