"""Plays `scenarios/dataservice/*.txt`: events of a leading data service and what it orders.

Commands: `channels NAME[:EPOCH:SERVER:NODE] ...` (all that meta has, once at the beginning) ·
`channel NAME` (a new one) · `nodes NAME:ID[:STATE] ...` (all sessions) · `wait SECONDS` ·
`answers ID [NAME:EPOCH:STATE ...]` · `silent ID` · `refuses ID` (its connection) · `written NAME` ·
`unwritten NAME` · `takes ID` · `rejects ID` (the watches sent to it) · `released NAME` · `suspect
ID` · `failed NAME EPOCH ID` · `report NAME EPOCH` · `commits CALL OUTCOME T [dropped] [SEGMENT]` ·
`conflict CALL` · `checkpoint NAME T` · `flush COLLECTION T` · `hinted ID` · `listed COLLECTION T`.
Questions to nodes and maintenance are not shown; effects that no command answers stay pending.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from headrace.dataservice import effects as fx
from headrace.dataservice import events as ev
from headrace.dataservice.machine import DataServiceMachine
from headrace.dataservice.settings import DataServiceSettings
from headrace.meta.records import CheckpointRecord, EpochRecord, Role, SessionRecord, SessionState
from headrace.model.errors import Conflict
from headrace.rpc.messages import (
    ChannelState,
    FlushStateResponse,
    NewEpochRequest,
    SaveBinlogPathsResponse,
)
from support.players.scripts import show
from support.world.facts import position, report, stamp

COLLECTION = 7
E = TypeVar("E")


def vchannel(name: str) -> str:
    """`a` and `a2` are vchannels of one pchannel, of collections 7 and 8."""
    return f"{name[0]}_{COLLECTION if len(name) == 1 else COLLECTION + 1}v0"


class Player:
    """A machine, its time and the orders that are not carried out yet."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls = 0
        self.revision = 100
        self.settings = DataServiceSettings()
        self.machine = DataServiceMachine(self.settings, self.now)
        self.pending: list[fx.Effect] = []
        self.epochs: dict[str, EpochRecord] = {}
        self.checkpoints: dict[str, CheckpointRecord] = {}
        self.names: dict[str, str] = {}

    def play(self, command: str) -> list[str]:
        name, *words = command.split()
        printed: list[str] = getattr(self, f"_{name}")(*words)
        return printed

    def step(self, event: ev.Event) -> list[str]:
        """One event; the orders that follow."""
        return self._step(event)

    def order(self, kind: type[E]) -> E:
        """The oldest order of this kind, which another part carries out."""
        found = next((e for e in self.pending if isinstance(e, kind)), None)
        assert found is not None, f"no {kind.__name__} is pending, but {self.pending}"
        self.pending.remove(found)
        return found

    def _step(self, event: ev.Event) -> list[str]:
        effects = self.machine.step(event, self.now)
        self.machine.validate()
        return self._take(effects)

    def _take(self, effects: Sequence[fx.Effect]) -> list[str]:
        printed = []
        for effect in effects:
            if isinstance(effect, fx.DoMaintenance):
                printed += self._step(ev.MaintenanceEnded(effect.task))
                continue
            if not isinstance(effect, fx.AskNode):
                printed.append(self._print(effect))
            if not isinstance(effect, fx.Answer | fx.AnnounceFlushed | fx.AnnounceManifest):
                self.pending.append(effect)
        return printed

    def _print(self, effect: fx.Effect) -> str:
        match effect:
            case fx.WriteEpoch():
                name = self._name(effect.vchannel)
                return f"WriteEpoch {name} epoch={effect.epoch} to {effect.node_name}"
            case fx.SendWatches():
                items = " ".join(f"{self._name(v)}:{e}" for v, e in effect.items)
                return f"SendWatches to {effect.server_id}: {items}"
            case fx.Release():
                how = "drain" if effect.drain else "at once"
                name = self._name(effect.vchannel)
                return f"Release {name}:{effect.epoch} from {effect.server_id}, {how}"
            case fx.SendHint():
                items = " ".join(f"{self._name(v)}>={self._number(t)}" for v, t in effect.items)
                return f"SendHint to {effect.server_id}: {items}"
            case fx.CommitReport():
                return f"CommitReport {effect.call} of {self._name(effect.report.vchannel)}"
            case fx.AnnounceFlushed():
                name = self._name(effect.vchannel)
                return f"AnnounceFlushed {name} {effect.segment_ids} to {effect.address}"
            case fx.Answer(call, FlushStateResponse() as answer):
                return f"Answer {call} flushed={answer.flushed} {answer.waits_for}".rstrip()
            case fx.Answer(call, SaveBinlogPathsResponse() as answer):
                return f"Answer {call} {answer.outcome}"
            case _:
                return show(effect)

    def _name(self, of: str) -> str:
        return next((n for n, v in self.names.items() if v == of), of)

    def _number(self, timestamp: int) -> int:
        return next(n for n in range(10_000) if stamp(n) == timestamp)

    def _next(self) -> int:
        self.revision += 1
        return self.revision

    def _know(self, name: str) -> str:
        self.names[name] = vchannel(name)
        return self.names[name]

    # ---- commands --------------------------------------------------------------------------------

    def _channels(self, *words: str) -> list[str]:
        for word in words:
            name, *rest = word.split(":")
            known = self._know(name)
            epoch = EpochRecord(epoch=0, server_id=0)
            if rest:
                epoch = EpochRecord(epoch=int(rest[0]), server_id=int(rest[1]), node_name=rest[2])
            self.epochs[known] = epoch
            start = position(known, 1)
            self.checkpoints[known] = CheckpointRecord(position=start, start=start)
        at = self._next()
        return self._step(
            ev.ChannelsListed(
                tuple(ev.EpochSeen(v, e, at) for v, e in self.epochs.items()),
                tuple(ev.CheckpointSeen(v, c, at) for v, c in self.checkpoints.items()),
            )
        )

    def _channel(self, name: str) -> list[str]:
        known, at = self._know(name), self._next()
        start = position(known, 1)
        self.epochs[known] = EpochRecord(epoch=0, server_id=0)
        self.checkpoints[known] = CheckpointRecord(position=start, start=start)
        printed = self._step(ev.CheckpointSeen(known, self.checkpoints[known], at))
        return printed + self._step(ev.EpochSeen(known, self.epochs[known], at))

    def _nodes(self, *words: str) -> list[str]:
        nodes = []
        for word in words:
            name, server_id, *state = word.split(":")
            nodes.append(
                SessionRecord(
                    role=Role.DATA_NODE,
                    node_name=name,
                    server_id=int(server_id),
                    address=f"host:{server_id}",
                    state=SessionState(state[0] if state else "healthy"),
                )
            )
        return self._step(ev.NodesChanged(tuple(nodes)))

    def _wait(self, seconds: str) -> list[str]:
        until = self.now + float(seconds)
        printed = []
        while self.now + self.settings.step_s <= until + 1e-9:
            self.now += self.settings.step_s
            lines = self._step(ev.TimePassed())
            printed += [f"{self.now:g}s {line}" for line in lines]
        return printed

    def _answers(self, server_id: str, *words: str) -> list[str]:
        self._asked(server_id)
        states = []
        for word in words:
            name, epoch, state = word.split(":")
            states.append(
                ChannelState(
                    vchannel=self.names[name],
                    epoch=int(epoch),
                    state=state,
                    consumed=None,
                    checkpoint=None,
                    buffered_bytes=0,
                    blocker="rows of segment 1",
                    reason="broken" if state == "failed" else "",
                )
            )
        return self._step(ev.NodeAnswered(int(server_id), tuple(states)))

    def _silent(self, server_id: str) -> list[str]:
        self._asked(server_id)
        return self._step(ev.NodeNotReached(int(server_id), False, "no answer within 2 s"))

    def _refuses(self, server_id: str) -> list[str]:
        self._asked(server_id)
        return self._step(ev.NodeNotReached(int(server_id), True, "refused the connection"))

    def _written(self, name: str) -> list[str]:
        order = self._oldest(fx.WriteEpoch, name)
        record = EpochRecord(
            epoch=order.epoch, server_id=order.server_id, node_name=order.node_name
        )
        self.epochs[order.vchannel] = record
        at = self._next()
        printed = self._step(ev.EpochWritten(order.vchannel, record, at))
        return printed + self._step(ev.EpochSeen(order.vchannel, record, at))

    def _unwritten(self, name: str) -> list[str]:
        order = self._oldest(fx.WriteEpoch, name)
        return self._step(ev.EpochNotWritten(order.vchannel, "no answer"))

    def _takes(self, server_id: str) -> list[str]:
        order = self._sent(server_id)
        return self._step(ev.WatchesAccepted(order.server_id, order.items))

    def _rejects(self, server_id: str) -> list[str]:
        order = self._sent(server_id)
        return self._step(
            ev.WatchesNotAccepted(order.server_id, order.items, "not above", fenced=True)
        )

    def _released(self, name: str) -> list[str]:
        order = self._oldest(fx.Release, name)
        return self._step(ev.ReleaseEnded(order.server_id, order.vchannel, order.epoch, True))

    def _suspect(self, server_id: str) -> list[str]:
        return self._step(ev.NodeSuspected(self._call(), int(server_id)))

    def _failed(self, name: str, epoch: str, server_id: str) -> list[str]:
        request = NewEpochRequest(
            server_id=int(server_id),
            vchannel=self.names[name],
            epoch=int(epoch),
            reason="Conflict",
        )
        return self._step(ev.NewEpochAsked(self._call(), request))

    def _report(self, name: str, epoch: str) -> list[str]:
        request = report(self.names[name], int(epoch), (1, 2))
        return self._step(ev.ReportArrived(self._call(), request))

    def _commits(self, call: str, outcome: str, number: str, *words: str) -> list[str]:
        order = self._commit(call)
        known, at = order.report.vchannel, self._next()
        dropped = "dropped" in words
        checkpoint = replace(
            self.checkpoints[known], position=position(known, int(number)), dropped=dropped
        )
        self.checkpoints[known] = checkpoint
        if dropped:
            ended = EpochRecord(epoch=self.epochs[known].epoch + 1, server_id=0, ended=True)
            self.epochs[known] = ended
        event = ev.ReportCommitted(
            int(call),
            known,
            outcome,
            ev.EpochSeen(known, self.epochs[known], at),
            ev.CheckpointSeen(known, checkpoint, at),
            tuple(int(w) for w in words if w.isdecimal()),
            True,
        )
        return self._step(event)

    def _conflict(self, call: str) -> list[str]:
        order = self._commit(call)
        error = Conflict("the channel checkpoint is elsewhere")
        return self._step(ev.ReportRefused(int(call), order.report.vchannel, error))

    def _checkpoint(self, name: str, number: str) -> list[str]:
        known = self.names[name]
        moved = replace(self.checkpoints[known], position=position(known, int(number)))
        self.checkpoints[known] = moved
        return self._step(ev.CheckpointSeen(known, moved, self._next()))

    def _flush(self, collection_id: str, number: str) -> list[str]:
        ids = tuple(int(text) for text in collection_id.split(","))
        return self._step(ev.FlushStateAsked(self._call(), ids, stamp(int(number))))

    def _hinted(self, server_id: str) -> list[str]:
        hints = [e for e in self.pending if isinstance(e, fx.SendHint)]
        self.pending.remove(next(e for e in hints if e.server_id == int(server_id)))
        return self._step(ev.HintEnded(int(server_id)))

    def _listed(self, collection_id: str, number: str) -> list[str]:
        lists = [e for e in self.pending if isinstance(e, fx.StoreManifest)]
        self.pending.remove(next(e for e in lists if e.collection_id == int(collection_id)))
        stored = ev.ManifestStored(
            collection_id=int(collection_id),
            revision=self.revision,
            timestamp=stamp(int(number)),
            complete=True,
        )
        return self._step(stored)

    # ---- inside ----------------------------------------------------------------------------------

    def _call(self) -> int:
        self.calls += 1
        return self.calls

    def _asked(self, server_id: str) -> None:
        asked = [e for e in self.pending if isinstance(e, fx.AskNode)]
        order = next((e for e in asked if e.server_id == int(server_id)), None)
        assert order is not None, f"node {server_id} was not asked"
        self.pending.remove(order)

    def _sent(self, server_id: str) -> fx.SendWatches:
        sent = [e for e in self.pending if isinstance(e, fx.SendWatches)]
        order = next(e for e in sent if e.server_id == int(server_id))
        self.pending.remove(order)
        return order

    def _commit(self, call: str) -> fx.CommitReport:
        commits = [e for e in self.pending if isinstance(e, fx.CommitReport)]
        order = next(e for e in commits if e.call == int(call))
        self.pending.remove(order)
        return order

    def _oldest(self, kind: type, name: str) -> fx.WriteEpoch | fx.Release:
        found = [
            e
            for e in self.pending
            if isinstance(e, fx.WriteEpoch | fx.Release)
            and isinstance(e, kind)
            and e.vchannel == self.names[name]
        ]
        assert found, f"no {kind.__name__} of {name} is pending, but {self.pending}"
        self.pending.remove(found[0])
        return found[0]
