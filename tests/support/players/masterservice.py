"""Plays `scenarios/masterservice/*.txt`: events of a leading master service and what it orders.

Commands: `begin [half NAME]` · `wait SECONDS` (alarms ring) · `wall JUMP_MS` · `proxies NAME:ID
[NAME:ID:STATE]` · `suspect ID` · `reached ID gone|there|silent` · `grant ID COUNT [late]` ·
`timestamp` · `ids COUNT` · `create NAME SHARDS [FIELD]` · `drop NAME` · `rename NAME NEW` ·
`partition NAME PARTITION [drop]` · `done EFFECT` (the oldest one of that name is carried out) ·
`fail EFFECT` · `sweep ID` · `lost`. Orders that nobody has carried out stay pending.
"""

from collections.abc import Sequence
from typing import Any

from headrace.masterservice import effects as fx
from headrace.masterservice import events as ev
from headrace.masterservice.collections.ddl import Standing
from headrace.masterservice.collections.records import create as make_collection
from headrace.masterservice.machine import Loaded, MasterMachine
from headrace.masterservice.settings import MasterServiceSettings
from headrace.meta.records import Role, SessionRecord, SessionState
from headrace.model.channel import Position, pchannel_of
from headrace.model.errors import Unavailable
from headrace.model.schema import DataType, Field, Schema
from headrace.model.timestamp import logical, physical_ms
from headrace.rpc.messages import (
    AllocIdsRequest,
    AllocTimestampResponse,
    CollectionResponse,
    CreateCollectionRequest,
    DropCollectionRequest,
    GrantRequest,
    GrantResponse,
    PartitionRequest,
    RenameCollectionRequest,
)
from support.players.scripts import show

POOL = ("p-0", "p-1", "p-2", "p-3")
WALL_MS = 1_000_000


class Player:
    """A machine, its time and the orders that are not carried out yet."""

    def __init__(self) -> None:
        self.settings = MasterServiceSettings(pchannels=len(POOL), id_window=1000)
        self.now = 0.0
        self.calls = 0
        self.revision = 100
        self.jump_ms = 0
        self.pending: list[fx.Effect] = []
        self.alarms: list[float] = []
        self.machine: MasterMachine | None = None

    def play(self, command: str) -> list[str]:
        name, *words = command.split()
        method = getattr(self, f"_{name}")
        printed: list[str] = method(*words)
        return printed

    def _step(self, event: ev.Event) -> list[str]:
        assert self.machine is not None, "a script starts with `begin`"
        effects = self.machine.step(event, self.now)
        self.machine.validate()
        return self._take(effects)

    def _take(self, effects: Sequence[fx.Effect]) -> list[str]:
        printed = []
        for effect in effects:
            if isinstance(effect, fx.WakeAt):
                self.alarms.append(effect.when)
                continue
            printed.append(self._print(effect))
            if not isinstance(effect, fx.Answer | fx.Refuse | fx.TellClockJump | fx.StandDown):
                self.pending.append(effect)
        return printed

    def _print(self, effect: fx.Effect) -> str:
        match effect:
            case fx.MoveMark(ev.Mark.TIMESTAMPS, value):
                return f"MoveMark timestamps {self._moment(value)}"
            case fx.Answer(call, response):
                return f"Answer {call} {self._print_response(response)}"
            case fx.RecordCollection() | fx.RecordDdl() | fx.AppendDdl() | fx.NoteDdl():
                record, ddl = effect.record, effect.ddl
                return (
                    f"{type(effect).__name__} {ddl.kind} {record.name} version={record.version} "
                    f"noted={record.noted} state={record.state} on={','.join(record.vchannels)}"
                )
            case fx.WriteSequencer():
                to = effect.record
                return f"WriteSequencer {effect.pchannel} to {to.node_name} because {effect.reason}"
            case _:
                return show(effect)

    def _print_response(self, response: Any) -> str:
        match response:
            case GrantResponse():
                return (
                    f"grant {self._moment(response.first)} count={response.count} "
                    f"for {','.join(response.pchannels) or 'nothing'}"
                )
            case AllocTimestampResponse(timestamp):
                return f"timestamp {self._moment(timestamp)}"
            case CollectionResponse(found):
                return f"{found.name} id={found.id} version={found.version} state={found.state}"
            case _:
                return show(response)

    def _moment(self, timestamp: int) -> str:
        """Seconds since the script's first wall clock, and the counter."""
        return f"{(physical_ms(timestamp) - WALL_MS) / 1000:.3f}s+{logical(timestamp)}"

    def _call(self) -> int:
        self.calls += 1
        return self.calls

    def _wall_ms(self) -> int:
        return WALL_MS + self.jump_ms + int(self.now * 1000)

    # ---- commands ----------------------------------------------------------------------------

    def _begin(self, half: str = "", name: str = "") -> list[str]:
        standing, undone = {}, {}
        if half:
            asked = ev.CreateAsked(
                0, CreateCollectionRequest(name=name, schema=_schema("id"), shards=2)
            )
            change = make_collection(asked.request, 7, POOL[:2], 1)
            standing[7], undone[7] = Standing(change.record, 50), change.ddl
        loaded = Loaded(
            pchannels=POOL,
            id_mark=100,
            standing=standing,
            undone=undone,
            revision=100,
            wall_ms=WALL_MS,
            now=0.0,
        )
        self.machine = MasterMachine(loaded, self.settings)
        return self._step(ev.LeadershipBegan())

    def _wait(self, seconds: str) -> list[str]:
        until = self.now + float(seconds)
        printed = []
        while self.alarms and min(self.alarms) <= until:
            when = min(self.alarms)
            self.alarms.remove(when)
            self.now = max(self.now, when)
            lines = self._step(ev.TimePassed(when))
            printed += [f"{self.now:g}s {line}" for line in lines]
        self.now = until
        return printed

    def _wall(self, jump_ms: str) -> list[str]:
        self.jump_ms += int(jump_ms)
        return []

    def _proxies(self, *words: str) -> list[str]:
        proxies = []
        for word in words:
            name, server_id, *state = word.split(":")
            proxies.append(
                SessionRecord(
                    role=Role.PROXY,
                    node_name=name,
                    server_id=int(server_id),
                    address=f"host:{server_id}",
                    state=SessionState(state[0] if state else "healthy"),
                )
            )
        return self._step(ev.ProxiesListed(tuple(proxies)))

    def _suspect(self, server_id: str) -> list[str]:
        return self._step(ev.ProxySuspected(int(server_id), f"host:{server_id}"))

    def _reached(self, server_id: str, reached: str) -> list[str]:
        tries = [e for e in self.pending if isinstance(e, fx.TryConnection)]
        self.pending.remove(next(e for e in tries if e.server_id == int(server_id)))
        return self._step(ev.ConnectionTried(int(server_id), ev.Reached(reached)))

    def _grant(self, server_id: str, count: str, late: str = "") -> list[str]:
        return self._step(
            ev.GrantAsked(
                call=self._call(),
                request=GrantRequest(server_id=int(server_id), count=int(count), pchannels=POOL),
                wall_ms=self._wall_ms(),
                leads_until=self.now if late else self.now + 4,
            )
        )

    def _timestamp(self) -> list[str]:
        asked = ev.TimestampAsked(
            call=self._call(), wall_ms=self._wall_ms(), leads_until=self.now + 4
        )
        return self._step(asked)

    def _ids(self, count: str) -> list[str]:
        return self._step(ev.IdsAsked(self._call(), AllocIdsRequest(int(count))))

    def _create(self, name: str, shards: str, key: str = "id") -> list[str]:
        return self._step(
            ev.CreateAsked(
                self._call(),
                CreateCollectionRequest(name=name, schema=_schema(key), shards=int(shards)),
            )
        )

    def _drop(self, name: str) -> list[str]:
        return self._step(ev.DropAsked(self._call(), DropCollectionRequest(name)))

    def _rename(self, name: str, new_name: str) -> list[str]:
        return self._step(ev.RenameAsked(self._call(), RenameCollectionRequest(name, new_name)))

    def _partition(self, name: str, partition: str, drop: str = "") -> list[str]:
        return self._step(
            ev.PartitionAsked(
                self._call(),
                PartitionRequest(collection=name, partition=partition, drop=bool(drop)),
            )
        )

    def _lost(self) -> list[str]:
        return self._step(ev.LeadershipLost("another leads"))

    def _sweep(self, collection_id: str) -> list[str]:
        self._oldest("SweepTombstones")
        return self._step(ev.TombstonesSwept((int(collection_id),)))

    def _done(self, name: str) -> list[str]:
        effect = self._oldest(name)
        self.revision += 1
        match effect:
            case fx.MoveMark():
                return self._step(ev.MarkMoved(effect.mark, effect.value))
            case fx.StopSequencer():
                return self._step(ev.SequencerStopped(effect.pchannel, True))
            case fx.WriteSequencer():
                return self._step(ev.SequencerStood(effect.pchannel, effect.record, self.revision))
            case fx.StoreNames():
                return self._step(ev.NamesStored(effect.revision))
            case fx.RecordCollection() | fx.RecordDdl() | fx.AppendDdl() | fx.NoteDdl():
                return self._step(self._ddl_event(effect))
            case _:
                raise AssertionError(f"`done` cannot carry out {effect}")

    def _ddl_event(
        self, effect: fx.RecordCollection | fx.RecordDdl | fx.AppendDdl | fx.NoteDdl
    ) -> ev.Event:
        identity = (effect.record.id, effect.record.version)
        match effect:
            case fx.AppendDdl():
                positions = {v: Position(pchannel_of(v), 5, 6) for v in effect.record.vchannels}
                return ev.DdlAppended(*identity, positions)
            case fx.NoteDdl():
                return ev.DdlNoted(*identity, self.revision)
            case _:
                return ev.DdlRecorded(*identity, self.revision)

    def _fail(self, name: str) -> list[str]:
        effect = self._oldest(name)
        match effect:
            case fx.MoveMark():
                return self._step(ev.MarkFailed(effect.mark, "no answer"))
            case fx.StopSequencer():
                return self._step(ev.SequencerStopped(effect.pchannel, False))
            case fx.RecordCollection():
                error = Unavailable("its pchannel has no sequencer")
                identity = (effect.record.id, effect.record.version)
                return self._step(ev.DdlNotRecorded(*identity, error))
            case _:
                raise AssertionError(f"{effect} does not fail: it is repeated")

    def _oldest(self, name: str) -> fx.Effect:
        found = [e for e in self.pending if type(e).__name__ == name]
        assert found, f"no {name} is pending, but {self.pending}"
        self.pending.remove(found[0])
        return found[0]


def _schema(key: str) -> Schema:
    return Schema(fields=(Field(id=100, name=key, type=DataType.INT64, primary=True),))
