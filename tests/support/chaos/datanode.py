"""One vchannel, machines of data nodes, and a data service reduced to what it compares: by chance.

**Owns** the world in which the node side's rules are switched off one by one: a log that is already
written, processes that crash, freeze and come back, reports that are repeated, delayed and doubled,
puts that land late, epochs and watches. **Does not own** the machines, which are production's.

After every commit the invariants are checked as the protocol's model checks them: what meta names
and what a fresh flowgraph would replay is every part of every entry, once.
"""

import random
from collections import Counter
from dataclasses import dataclass, field, replace

from headrace.datanode import effects as fx
from headrace.datanode import events as ev
from headrace.datanode.handoff import SyncPack
from headrace.datanode.machine import DataNodeMachine
from headrace.datanode.settings import DataNodeSettings
from headrace.model.entry import Ddl, DdlKind, Rows, Seal, TermStart
from headrace.model.position import Position
from headrace.model.segment import SegmentState
from headrace.rpc.messages import (
    CheckpointMove,
    ReleaseDmChannelRequest,
    SaveBinlogPathsRequest,
    SaveCheckpointsRequest,
    Watch,
    WatchDmChannelsRequest,
    WatchedSchema,
    WatchedSegment,
)
from support.chaos.datanode_log import write_by_chance
from support.players.datanode import SCHEMA, Player, encoded, vchannel

DELTA = 0  # stands for a segment id where deletes are meant
Part = tuple[int, int]  # (timestamp of an entry, segment or DELTA)


class Violation(Exception):
    """An invariant does not hold."""


@dataclass(slots=True)
class Kept:
    """A segment as meta has it."""

    partition_id: int
    start: Position
    checkpoint: Position
    state: SegmentState = SegmentState.GROWING
    files: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Node:
    """A process: its machine, its orders under way, its clock."""

    server_id: int
    machine: DataNodeMachine
    pending: list[fx.Effect] = field(default_factory=list)
    now: float = 0.0
    running: bool = True


@dataclass(slots=True)
class Meta:
    """What the data service has committed."""

    epoch: int = 0
    server_id: int = 0
    checkpoint: Position = field(default_factory=lambda: Position("p", 0, 0))
    segments: dict[int, Kept] = field(default_factory=dict)
    deletes: Position | None = None
    deltas: list[str] = field(default_factory=list)
    dropped_partitions: tuple[int, ...] = ()
    dropped: bool = False


class World:
    """One run. `play` to act by chance, `finish` to calm down and reach the end."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.player = Player()
        self.settings = DataNodeSettings(sync_bytes=600, report_segments_most=1, sync_age_s=5)
        self.meta = Meta()
        self.objects: dict[str, Counter[Part]] = {}
        self.content: dict[str, Counter[Part]] = {}
        self.nodes: list[Node] = []
        self.watches: list[tuple[Node, Watch]] = []
        self.copies: list[SaveBinlogPathsRequest | SaveCheckpointsRequest] = []
        write_by_chance(self.player, self.chance)
        self.log = self.player.log
        self.parts = self._parts()
        self._assign()

    # ---- the log -----------------------------------------------------------------------------

    def _entries(self) -> list[tuple[int, object]]:
        return [(e.timestamp, e) for g in self.player.log for e in g.group.entries]

    def _parts(self) -> dict[Part, int]:
        """Every part of every entry, with the partition of its segment (0 = deletes)."""
        parts: dict[Part, int] = {}
        for timestamp, entry in self._entries():
            if isinstance(entry, Rows):
                for r in entry.segments:
                    parts[timestamp, r.segment_id] = entry.partition_id
                if entry.deletes:
                    parts[timestamp, DELTA] = 0
        return parts

    def _drop(self, kind: DdlKind) -> int | None:
        for timestamp, entry in self._entries():
            if isinstance(entry, Ddl) and entry.kind is kind:
                return timestamp
        return None

    # ---- the data service --------------------------------------------------------------------

    def _assign(self) -> None:
        """A new epoch, for a new process or for one that lives."""
        meta = self.meta
        alive = [n for n in self.nodes if n.running]
        if not alive or self.chance.random() < 0.5:
            server_id = len(self.nodes) + 1
            node = Node(server_id, DataNodeMachine(self.settings))
            self.nodes.append(node)
            self._step(node, ev.Registered(server_id))
        else:
            node = self.chance.choice(alive)
        meta.epoch += 1
        meta.server_id = node.server_id
        watch = self._watch()
        self.watches.append((node, watch))
        self._send_watch(node, watch)

    def _watch(self) -> Watch:
        meta = self.meta
        listed = [
            WatchedSegment(
                segment_id=i,
                partition_id=k.partition_id,
                version=1,
                state=str(k.state),
                start=k.start,
                checkpoint=k.checkpoint,
            )
            for i, k in meta.segments.items()
            if k.state is SegmentState.GROWING or k.checkpoint.timestamp > meta.checkpoint.timestamp
        ]
        return Watch(
            vchannel=vchannel("a"),
            epoch=meta.epoch,
            collection_id=1,
            seek=meta.checkpoint,
            deletes_checkpoint=meta.deletes,
            schemas=self._schemas(),
            segments=tuple(listed),
            dropped_partitions=meta.dropped_partitions,
        )

    def _schemas(self) -> tuple[WatchedSchema, ...]:
        """The versions of all DDL entries, noted or not."""
        schemas = [WatchedSchema(version=1, schema=SCHEMA, kind="create", timestamp=1)]
        for timestamp, entry in self._entries():
            if isinstance(entry, Ddl):
                noted = timestamp if self.chance.random() < 0.5 else 0
                schemas.append(
                    WatchedSchema(
                        version=entry.version, schema=SCHEMA, kind=entry.kind, timestamp=noted
                    )
                )
        return tuple(schemas)

    def _send_watch(self, node: Node, watch: Watch) -> None:
        request = WatchDmChannelsRequest(node.server_id, (watch,))
        self._step(node, ev.WatchArrived(0, request))

    def _take(self, r: SaveBinlogPathsRequest) -> str:
        """The outcome of a report, or what refuses it."""
        meta = self.meta
        if meta.dropped and r.epoch == meta.epoch - 1:
            return "done" if r.dropped else "forgotten"
        if r.epoch != meta.epoch or meta.dropped:
            return "fenced"
        kept = [s for s in r.segments if not self._gone(s.partition_id)]
        new = [self._checkpoint(s.segment_id) == s.checkpoint for s in kept]
        new.append(meta.checkpoint == r.channel_checkpoint and not r.dropped)
        new.append(set(r.dropped_partitions) <= set(meta.dropped_partitions))
        extends = [self._checkpoint(s.segment_id) == s.extends for s in kept]
        extends.append(meta.checkpoint == r.channel_extends)
        if r.deletes is not None:
            new.append(meta.deletes == r.deletes.checkpoint)
            extends.append(meta.deletes == r.deletes.extends)
        if all(new):
            return "done"
        if not all(extends):
            return "conflict"
        self._apply(replace(r, segments=tuple(kept)))
        return "applied"

    def _apply(self, r: SaveBinlogPathsRequest) -> None:
        meta = self.meta
        if r.channel_checkpoint.timestamp < meta.checkpoint.timestamp:
            raise Violation("CP-1 the channel checkpoint moves back")
        for s in r.segments:
            kept = meta.segments.setdefault(
                s.segment_id, Kept(s.partition_id, s.start, s.checkpoint)
            )
            if kept.state is not SegmentState.GROWING:
                raise Violation(f"SG-1 segment {s.segment_id} is {kept.state} and gains")
            kept.checkpoint = s.checkpoint
            kept.files += [f.key for f in s.files]
            if s.flushed:
                kept.state = SegmentState.FLUSHED
                self._check_flushed(s.segment_id, kept)
        if r.deletes is not None:
            meta.deletes = r.deletes.checkpoint
            meta.deltas += [f.key for f in r.deletes.files]
        meta.checkpoint = r.channel_checkpoint
        meta.dropped_partitions += r.dropped_partitions
        if r.dropped:
            meta.dropped = True
            meta.epoch += 1
        self.check()

    def _move(self, move: CheckpointMove) -> bool:
        """Whether a move of the checkpoint alone is saved."""
        meta = self.meta
        if move.epoch != meta.epoch or meta.dropped:
            return False
        if meta.checkpoint == move.checkpoint:
            return True
        if meta.checkpoint != move.extends:
            return False
        meta.checkpoint = move.checkpoint
        self.check()
        return True

    def _checkpoint(self, segment_id: int) -> Position | None:
        kept = self.meta.segments.get(segment_id)
        return kept.checkpoint if kept else None

    def _gone(self, partition_id: int) -> bool:
        return self.meta.dropped or partition_id in self.meta.dropped_partitions

    # ---- what may happen ---------------------------------------------------------------------

    def play(self, steps: int) -> None:
        """So many steps, chosen by chance."""
        for _ in range(steps):
            what = self.chance.random()
            if what < 0.80:
                self._carry_out()
            elif what < 0.86:
                node = self.chance.choice(self.nodes)
                node.now += self.chance.choice((1.0, 6.0, 61.0))
                self._step(node, ev.TimePassed())
            elif what < 0.90:
                self._send_watch(*self.chance.choice(self.watches))
            elif what < 0.94 and self.copies:
                self._deliver_copy(self.chance.choice(self.copies))
            elif what < 0.95:
                self._release()
            elif what < 0.97:
                node = self.chance.choice(self.nodes)
                node.running = not node.running  # crashed or frozen; perhaps it wakes
            elif self.meta.epoch < 5:
                self._assign()

    def finish(self) -> None:
        """No more trouble: the present epoch is watched by a process that lives, to the end."""
        self._assign()
        node = self.watches[-1][0]
        node.running = True
        for _ in range(400):
            if self._reached():
                return
            orders = [e for e in node.pending if self._can(e)]
            if orders:
                self._order(node, orders[0], calm=True)
            elif self._ended(node):
                self._assign()
                node = self.watches[-1][0]
                node.running = True
            else:
                node.now += 61.0
                self._step(node, ev.TimePassed())
        raise Violation(f"LIVE the checkpoint stays at {self.meta.checkpoint}")

    def check_memory(self) -> None:
        """Once all orders are carried out and all is reported nothing is held any more."""
        for node in self.nodes:
            node.running = True
            while orders := [e for e in node.pending if not isinstance(e, fx.Fetch)]:
                self._order(node, orders[0], calm=True)
        node = self.watches[-1][0]
        budget = node.machine.budget
        held = budget.message_bytes, budget.writing_bytes, budget.unreported_bytes
        flows = node.machine.flows.values()
        if held != (0, 0, 0) and all(f.ended or f.buffers.empty for f in flows):
            raise Violation(f"memory is held for nothing: {held}")

    def _ended(self, node: Node) -> bool:
        flow = node.machine.flows.get(vchannel("a"))
        return flow is None or flow.ended

    def _reached(self) -> bool:
        growing = [k for k in self.meta.segments.values() if k.state is SegmentState.GROWING]
        growing = [k for k in growing if not self._gone(k.partition_id)]
        end = self.log[-1].group.last_timestamp
        return self.meta.dropped or (self.meta.checkpoint.passed(end) and not growing)

    def _release(self) -> None:
        node, watch = self.chance.choice(self.watches)
        request = ReleaseDmChannelRequest(
            server_id=node.server_id,
            vchannel=watch.vchannel,
            epoch=watch.epoch,
            drain=self.chance.random() < 0.5,
        )
        self._step(node, ev.ReleaseArrived(0, request))

    def _carry_out(self) -> None:
        node = self.chance.choice(self.nodes)
        orders = [e for e in node.pending if self._can(e)]
        if node.running and orders:
            self._order(node, self.chance.choice(orders), calm=False)

    def _can(self, effect: fx.Effect) -> bool:
        return not isinstance(effect, fx.Fetch) or effect.next_id <= len(self.log)

    def _order(self, node: Node, effect: fx.Effect, *, calm: bool) -> None:
        node.pending.remove(effect)
        unlucky = not calm and self.chance.random() < 0.25
        match effect:
            case fx.Fetch():
                groups = self.log[effect.next_id - 1 :][: self.chance.randint(1, 4)]
                self._step(node, ev.GroupsFetched(effect.reader, tuple(groups)))
            case fx.EncodePack():
                self._encode(node, effect)
            case fx.PutObjects():
                self._put(node, effect.pack, unlucky)
            case fx.SendReport():
                self._report(node, effect.request, unlucky)
            case fx.SendMoves():
                self._moves(node, effect.request, unlucky)
            case fx.AskNewEpoch():
                where = effect.request.vchannel, effect.request.epoch
                self._step(node, ev.NewEpochAnswered(*where))

    def _encode(self, node: Node, effect: fx.EncodePack) -> None:
        pack, made = effect.pack, encoded(effect.pack)
        for before, part in zip(pack.segments, made.segments, strict=True):
            if part.file is not None:
                parts = ((rows.position.timestamp, part.segment_id) for rows in before.slices)
                self.content[part.file.key] = Counter(parts)
        if pack.deletes and made.deletes and made.deletes.file:
            parts = ((d.position.timestamp, DELTA) for d in pack.deletes.chunks)
            self.content[made.deletes.file.key] = Counter(parts)
        self._step(node, ev.PackEncoded(made))

    def _put(self, node: Node, pack: SyncPack, unlucky: bool) -> None:
        if unlucky and self.chance.random() < 0.5:
            self._step(node, ev.PutFailed(pack.key, frozenset(), "not sent"))
            return
        for item in pack.left:
            self.objects.setdefault(item.key, self.content[item.key])
        if unlucky:
            self._step(node, ev.PutFailed(pack.key, frozenset(), "the answer was lost"))
        else:
            self._step(node, ev.ObjectsStored(pack.key))

    def _report(self, node: Node, request: SaveBinlogPathsRequest, unlucky: bool) -> None:
        where = request.vchannel, request.epoch
        self.copies.append(request)
        if unlucky and self.chance.random() < 0.5:
            self._step(node, ev.ReportUnanswered(*where, "not sent"))
            return
        outcome = self._take(request)
        if unlucky:
            self._step(node, ev.ReportUnanswered(*where, "the answer was lost"))
        elif outcome in ("fenced", "conflict"):
            self._step(node, ev.ReportRefused(*where, outcome == "fenced", outcome))
        else:
            self._step(node, ev.ReportAnswered(*where, outcome))

    def _moves(self, node: Node, request: SaveCheckpointsRequest, unlucky: bool) -> None:
        self.copies.append(request)
        left_out = tuple(m.vchannel for m in request.moves if not self._move(m))
        if unlucky:
            self._step(node, ev.MovesUnanswered("the answer was lost"))
        else:
            self._step(node, ev.MovesAnswered(left_out))

    def _deliver_copy(self, copy: SaveBinlogPathsRequest | SaveCheckpointsRequest) -> None:
        if isinstance(copy, SaveBinlogPathsRequest):
            self._take(copy)
        else:
            for move in copy.moves:
                self._move(move)

    def _step(self, node: Node, event: ev.Event) -> None:
        effects = node.machine.step(event, node.now)
        node.machine.validate()
        kept = (fx.Answer, fx.Tell, fx.Stopped, fx.CloseReader)
        node.pending += [e for e in effects if not isinstance(e, kept)]
        closed = {e.reader for e in effects if isinstance(e, fx.CloseReader)}
        node.pending = [
            e for e in node.pending if not (isinstance(e, fx.Fetch) and e.reader in closed)
        ]

    # ---- invariants --------------------------------------------------------------------------

    def check(self) -> None:
        """CP-2, DL-1, OB-1 as the protocol's model has them."""
        meta, at = self.meta, self.meta.checkpoint.timestamp
        named: Counter[Part] = Counter()
        for segment_id, kept in meta.segments.items():
            if not self._gone(kept.partition_id):
                named += self._stored(kept.files)
                sealed = self._sealed_at(segment_id)
                if sealed is not None and sealed <= at and kept.state is SegmentState.GROWING:
                    raise Violation(f"CP-2 passed the Seal of segment {segment_id}")
        named += self._stored(meta.deltas)
        known = {i: k.checkpoint.timestamp for i, k in meta.segments.items()}
        known[DELTA] = meta.deletes.timestamp if meta.deletes else 0
        for (timestamp, segment_id), partition in self.parts.items():
            if self._is_dropped(timestamp, partition):
                continue
            found = named[timestamp, segment_id]
            if timestamp <= at and not found:
                raise Violation(f"CP-2 {timestamp} of {segment_id} was passed and is not stored")
            replayed = timestamp > at and timestamp > known.get(segment_id, 0)
            if found + replayed != 1:
                raise Violation(f"DL-1 {timestamp} of {segment_id} is found {found + replayed}x")

    def _is_dropped(self, timestamp: int, partition: int) -> bool:
        drop = self._drop(DdlKind.DROP)
        if drop is not None and self.meta.checkpoint.passed(drop):
            return True
        return partition in self.meta.dropped_partitions

    def _stored(self, keys: list[str]) -> Counter[Part]:
        found: Counter[Part] = Counter()
        for key in keys:
            if key not in self.objects:
                raise Violation(f"OB-1 {key} is named and missing")
            found += self.objects[key]
        return found

    def _sealed_at(self, segment_id: int) -> int | None:
        opened = min(t for t, s in self.parts if s == segment_id)
        for timestamp, entry in self._entries():
            mine = isinstance(entry, Seal) and entry.segment_id == segment_id
            if timestamp > opened and (mine or isinstance(entry, TermStart | Ddl)):
                return timestamp
        return None

    def _check_flushed(self, segment_id: int, kept: Kept) -> None:
        ours = Counter(p for p in self.parts if p[1] == segment_id)
        if self._stored(kept.files) != ours:
            raise Violation(f"SG-2 segment {segment_id} was flushed with {kept.files}")


def run(seed: int) -> str:
    """One run; what was violated, "" = nothing."""
    world = World(seed)
    try:
        world.play(250)
        world.finish()
        world.check()
        world.check_memory()
    except Violation as violation:
        return str(violation)
    return ""
