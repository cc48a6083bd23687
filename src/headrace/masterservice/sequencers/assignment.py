"""Which proxy should be the sequencer of which pchannel: the assignment that is written for each.

Pchannels are spread evenly over the HEALTHY proxies, and the fewest move when a proxy comes or
goes. A planned move asks the old sequencer to stop first. A failover does not wait: the log refuses
what a replaced sequencer appends, so it can do no harm.

A pchannel is *orphaned* when its process has no session any more (the lease ended, or a successor
replaced it) or was found gone on suspicion; then it moves at once. It is *drained* when its process
is stopping, and *balanced* when one proxy has two more than another; those moves are planned.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from headrace.masterservice import effects as fx
from headrace.masterservice.events import Reached
from headrace.masterservice.sequencers.suspicion import Suspicions
from headrace.masterservice.settings import MasterServiceSettings
from headrace.meta.records import SequencerRecord, SessionRecord, SessionState
from headrace.model.channel import PChannel
from headrace.model.ids import Revision, ServerId


class AssignmentPhase(StrEnum):
    """Of a move."""

    STOPPING = "stopping"  # the old one is asked to stop, it may still append
    WRITING = "writing"  # the record is on its way


@dataclass(frozen=True, slots=True)
class Stood:
    """A record as it stands."""

    record: SequencerRecord
    revision: Revision


@dataclass(slots=True)
class _Move:
    phase: AssignmentPhase
    target: ServerId
    reason: str


class SequencerAssignments:
    """The assignments of one leadership. Times are monotonic seconds."""

    def __init__(
        self,
        pchannels: Sequence[PChannel],
        stood: Mapping[PChannel, Stood],
        settings: MasterServiceSettings,
    ) -> None:
        self._settings = settings
        self._pchannels = tuple(pchannels)
        self._stood = {p: stood[p] for p in self._pchannels if p in stood}
        self._moves: dict[PChannel, _Move] = {}
        self._proxies: dict[ServerId, SessionRecord] | None = None  # None: not listed yet
        self._usable: tuple[ServerId, ...] = ()
        self._steady_since = 0.0  # since when the usable proxies are the same
        self._suspicions = Suspicions(settings)

    # ---- what is asked -----------------------------------------------------------------------

    def granted(self, server_id: ServerId, pchannels: Iterable[PChannel]) -> tuple[PChannel, ...]:
        """Those for which that process is wanted, by the records that stand. While a record is on
        its way it may name another: no process gets timestamps."""
        return tuple(p for p in pchannels if self._holder(p) == server_id and not self._writing(p))

    def wanted(self) -> dict[PChannel, SequencerRecord]:
        return {p: self._stood[p].record for p in self._pchannels if p in self._stood}

    def proxies(self) -> tuple[SessionRecord, ...]:
        return tuple((self._proxies or {}).values())

    # ---- what happened -----------------------------------------------------------------------

    def listed(self, proxies: Iterable[SessionRecord], now: float) -> list[fx.Effect]:
        """The proxies that have a session."""
        ordered = sorted(proxies, key=lambda p: (p.node_name, p.server_id))
        self._proxies = {p.server_id: p for p in ordered}
        self._suspicions.keep_only(self._proxies, now)
        return self._plan(now)

    def suspected(self, server_id: ServerId, address: str, now: float) -> list[fx.Effect]:
        """Another process could not reach it."""
        proxy = (self._proxies or {}).get(server_id)
        if proxy is None or proxy.address != address:
            return []  # its session has ended, or is not known yet: nothing rests on this
        if self._suspicions.is_gone(server_id) or not self._suspicions.begin_try(server_id):
            return []
        return [fx.TryConnection(server_id, address)]

    def tried(self, server_id: ServerId, reached: Reached, now: float) -> list[fx.Effect]:
        """The own attempt is over."""
        proxy = (self._proxies or {}).get(server_id)
        if proxy is None:
            return []
        match reached:
            case Reached.GONE:
                held = [p for p in self._pchannels if self._holder(p) == server_id]
                self._suspicions.found_gone(server_id, proxy.node_name, held, now)
            case Reached.THERE:
                self._suspicions.found_there(server_id)
            case Reached.SILENT:
                self._suspicions.undecided(server_id, now)
        return self._plan(now)

    def stopped(self, pchannel: PChannel, now: float) -> list[fx.Effect]:
        """The old sequencer has stopped, or did not answer: either way its successor is written.

        A record is written even if the old one is the best again: its new revision tells it.
        """
        move = self._moves.get(pchannel)
        assert move is not None and move.phase is AssignmentPhase.STOPPING, (
            f"{pchannel} is not being moved"
        )
        del self._moves[pchannel]
        usable = self._usable_now()
        target = move.target if move.target in usable else self._lightest(usable)
        if target is None:
            target = self._holder(pchannel)
        if target not in (self._proxies or {}):
            return self._plan(now)  # no proxy is there: it is an orphan
        return [self._write(pchannel, target, move.reason), *self._plan(now)]

    def stands(
        self, pchannel: PChannel, record: SequencerRecord, revision: Revision, now: float
    ) -> list[fx.Effect]:
        """A record stands."""
        self._moves.pop(pchannel, None)
        self._stood[pchannel] = Stood(record, revision)
        return self._plan(now)

    def time_passed(self, now: float) -> list[fx.Effect]:
        """Something may be due."""
        effects: list[fx.Effect] = []
        for server_id in self._suspicions.due_to_retry(now):
            proxy = (self._proxies or {}).get(server_id)
            if proxy is not None and self._suspicions.begin_try(server_id):
                effects.append(fx.TryConnection(server_id, proxy.address))
        return effects + self._plan(now)

    def due(self, now: float) -> float | None:
        """When `time_passed` should be called next: above `now`."""
        balance_at = self._steady_since + self._settings.balance_delay_s
        dues = [self._suspicions.due(now), balance_at if balance_at > now else None]
        return min((due for due in dues if due is not None), default=None)

    # ---- the plan ----------------------------------------------------------------------------

    def _plan(self, now: float) -> list[fx.Effect]:
        if self._proxies is None:
            return []
        usable = self._usable_now()
        if usable != self._usable:
            self._usable, self._steady_since = usable, now
        if not usable:
            return []
        effects = self._fail_over(usable, now)
        for pchannel, target, reason in self._planned(usable, now):
            effects.append(self._stop(pchannel, target, reason))
        return effects

    def _fail_over(self, usable: tuple[ServerId, ...], now: float) -> list[fx.Effect]:
        effects: list[fx.Effect] = []
        for pchannel in self._pchannels:
            if pchannel in self._moves:
                continue
            reason = self._orphaned(pchannel, now)
            if reason:
                if reason == "suspicion":
                    self._suspicions.failed_over(pchannel, now)
                target = self._lightest(usable)
                assert target is not None, "a proxy is usable"
                effects.append(self._write(pchannel, target, reason))
        return effects

    def _orphaned(self, pchannel: PChannel, now: float) -> str:
        """Why it needs another sequencer at once, or ""."""
        assert self._proxies is not None
        stood = self._stood.get(pchannel)
        if stood is None:
            return "first"
        holder = stood.record.server_id
        if holder not in self._proxies:
            names = [p.node_name for p in self._proxies.values()]
            return "successor" if stood.record.node_name in names else "lease"
        if self._suspicions.is_gone(holder) and self._suspicions.ready(pchannel, now):
            return "suspicion"
        return ""

    def _planned(
        self, usable: tuple[ServerId, ...], now: float
    ) -> Iterable[tuple[PChannel, ServerId, str]]:
        """Moves that can wait: each is yielded when the one before has been ordered."""
        assert self._proxies is not None
        for pchannel in self._pchannels:
            holder = self._proxies.get(self._holder(pchannel) or 0)
            if holder is None or holder.state is not SessionState.STOPPING:
                continue
            target = self._lightest(usable)
            if pchannel not in self._moves and target is not None:
                yield pchannel, target, "drain"
        steady = now >= self._steady_since + self._settings.balance_delay_s
        while steady and len(self._moves) < self._settings.moves_at_once:
            loads = self._loads(usable)
            heavy = max(usable, key=lambda i: (loads[i], self._name(i)))
            light = self._lightest(usable)
            movable = [p for p in self._settled() if self._holder(p) == heavy]
            if light is None or loads[heavy] - loads[light] < 2 or not movable:
                return
            yield movable[-1], light, "balance"

    def _stop(self, pchannel: PChannel, target: ServerId, reason: str) -> fx.Effect:
        record = self._stood[pchannel].record
        self._moves[pchannel] = _Move(AssignmentPhase.STOPPING, target, reason)
        return fx.StopSequencer(pchannel, record.server_id, record.address)

    def _write(self, pchannel: PChannel, target: ServerId | None, reason: str) -> fx.Effect:
        assert self._proxies is not None and target is not None
        proxy = self._proxies[target]
        stood = self._stood.get(pchannel)
        self._moves[pchannel] = _Move(AssignmentPhase.WRITING, target, reason)
        record = SequencerRecord(
            server_id=proxy.server_id, node_name=proxy.node_name, address=proxy.address
        )
        return fx.WriteSequencer(pchannel, record, stood.revision if stood else 0, reason)

    # ---- questions ---------------------------------------------------------------------------

    def _usable_now(self) -> tuple[ServerId, ...]:
        return tuple(
            p.server_id
            for p in (self._proxies or {}).values()
            if p.state is SessionState.HEALTHY and not self._suspicions.is_gone(p.server_id)
        )

    def _loads(self, usable: Iterable[ServerId]) -> dict[ServerId, int]:
        """How many pchannels each has, or gets by a move under way."""
        loads = dict.fromkeys(usable, 0)
        for pchannel in self._pchannels:
            move = self._moves.get(pchannel)
            owner = move.target if move else self._holder(pchannel)
            if owner in loads:
                loads[owner] += 1
        return loads

    def _lightest(self, usable: tuple[ServerId, ...]) -> ServerId | None:
        loads = self._loads(usable)
        return min(usable, key=lambda i: (loads[i], self._name(i)), default=None)

    def _settled(self) -> list[PChannel]:
        return [p for p in self._pchannels if p in self._stood and p not in self._moves]

    def _holder(self, pchannel: PChannel) -> ServerId | None:
        stood = self._stood.get(pchannel)
        return stood.record.server_id if stood else None

    def _writing(self, pchannel: PChannel) -> bool:
        move = self._moves.get(pchannel)
        return move is not None and move.phase is AssignmentPhase.WRITING

    def _name(self, server_id: ServerId) -> str:
        return (self._proxies or {})[server_id].node_name

    def validate(self) -> None:
        """Moves and records are of the pool; only so many planned moves are under way."""
        assert all(p in self._pchannels for p in (*self._stood, *self._moves))
        balanced = [m for m in self._moves.values() if m.reason == "balance"]
        assert len(balanced) <= self._settings.moves_at_once, balanced
        for pchannel, move in self._moves.items():
            assert move.phase is AssignmentPhase.WRITING or pchannel in self._stood, pchannel
