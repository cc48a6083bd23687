"""One vchannel, machines of data nodes, and the decisions of a data service: by chance.

**Owns** a log that is already written, processes that crash, freeze and come back, reports that
are repeated, delayed and doubled, puts that land late, epochs and watches. **Does not own** the
machines and what becomes of a report: both are production's.

After every commit the invariants are checked as the protocol's model checks them: what meta names
and what a fresh flowgraph would replay is every part of every entry, once.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from headrace.datanode import effects as fx
from headrace.datanode import events as ev
from headrace.datanode.handoff import SyncPack
from headrace.datanode.machine import DataNodeMachine
from headrace.datanode.settings import DataNodeSettings
from headrace.dataservice.state.channel_state import VChannelState
from headrace.meta.records import DdlRecord, SegmentRecord
from headrace.model.channel import Position
from headrace.model.entry import Ddl, DdlKind, Rows, Seal, TermStart
from headrace.model.errors import Conflict, Fenced, Invalid
from headrace.model.segment import FileRef, SegmentState
from headrace.rpc.messages import (
    AwaitedTimestamp,
    AwaitTimestampsRequest,
    ReleaseDmChannelRequest,
    SaveBinlogPathsRequest,
    SaveCheckpointsRequest,
    Watch,
    WatchDmChannelsRequest,
)
from support.chaos.datanode_log import write_by_chance
from support.players.datanode import Player, encoded, vchannel
from support.values.rows import SMALL
from support.world.committed import Committed

VCHANNEL = vchannel("a")
DELTA = 0  # stands for a segment id where deletes are meant
Part = tuple[int, int]  # (timestamp of an entry, segment or DELTA)


class Violation(Exception):
    """An invariant does not hold."""


@dataclass(slots=True)
class Node:
    """A process: its machine, its orders under way, its clock."""

    server_id: int
    machine: DataNodeMachine
    pending: list[fx.Effect] = field(default_factory=list)
    now: float = 0.0
    running: bool = True


SETTINGS = DataNodeSettings(sync_bytes=600, report_segments_most=1, sync_age_s=5)


class World:
    """One run. `play` to act by chance, `finish` to calm down and reach the end; `carry_out`,
    `wait` and `watch_again` to act by hand, on a given log."""

    def __init__(
        self, seed: int, log: Sequence[str] = (), settings: DataNodeSettings = SETTINGS
    ) -> None:
        self.chance = random.Random(seed)
        self.player = Player()
        self.settings = settings
        self.meta = Committed()
        self.meta.create(VCHANNEL, Position("p", 0, 0))
        self.objects: dict[str, Counter[Part]] = {}
        self.content: dict[str, Counter[Part]] = {}
        self.nodes: list[Node] = []
        self.watches: list[tuple[Node, Watch]] = []
        self.copies: list[SaveBinlogPathsRequest | SaveCheckpointsRequest] = []
        for text in log:
            self.player.append(text)
        if not log:
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
        if self.dropped:
            return
        alive = [n for n in self.nodes if n.running]
        if not alive or self.chance.random() < 0.5:
            server_id = len(self.nodes) + 1
            node = Node(server_id, DataNodeMachine(self.settings))
            self.nodes.append(node)
            self._step(node, ev.Registered(server_id))
        else:
            node = self.chance.choice(alive)
        self.meta.assign(VCHANNEL, node.server_id)
        watch = self.meta.watch(VCHANNEL, self._ddls())
        self.watches.append((node, watch))
        self._send_watch(node, watch)

    def _ddls(self) -> list[DdlRecord]:
        """The versions of all DDL entries, noted or not."""
        made = DdlRecord(
            collection_id=1,
            version=1,
            kind=DdlKind.CREATE,
            schema=SMALL,
            name="c",
            recorded=1,
            noted=True,
            positions={VCHANNEL: Position("p", 0, 0)},
        )
        ddls = [made]
        for read in self.player.log:
            for entry in read.group.entries:
                if isinstance(entry, Ddl):
                    noted = self.chance.random() < 0.5
                    place = Position("p", read.message_id, entry.timestamp)
                    ddls.append(
                        replace(
                            made,
                            version=entry.version,
                            kind=entry.kind,
                            noted=noted,
                            positions={VCHANNEL: place} if noted else {},
                        )
                    )
        return ddls

    def _send_watch(self, node: Node, watch: Watch) -> None:
        request = WatchDmChannelsRequest(node.server_id, (watch,))
        self._step(node, ev.WatchArrived(0, request))

    @property
    def channel(self) -> VChannelState:
        """The vchannel as it is committed."""
        return self.meta.channels[VCHANNEL]

    @property
    def checkpoint(self) -> Position:
        """Of the channel."""
        return self.channel.checkpoint.value.position

    @property
    def dropped(self) -> bool:
        """Whether the checkpoint has passed the collection's drop."""
        return self.channel.checkpoint.value.dropped

    def _take(self, report: SaveBinlogPathsRequest) -> str:
        """The outcome of a report, or what refuses it."""
        before = self.channel
        try:
            outcome = self.meta.save(report)
        except Fenced:
            return "fenced"
        except Conflict:
            return "conflict"
        except Invalid as error:  # no node may report what contradicts itself
            raise Violation(str(error)) from error
        if outcome == "applied":
            for record in self.channel.segments.values():
                old = before.segment(record.value.id)
                newly = old is None or old.state is not SegmentState.FLUSHED
                if newly and record.value.state is SegmentState.FLUSHED:
                    self._check_flushed(record.value)
            self.check()
        return outcome

    def _move(self, request: SaveCheckpointsRequest) -> tuple[str, ...]:
        left_out = self.meta.move(request)
        self.check()
        return left_out

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
            elif self.channel.epoch.value.epoch < 5:
                self._assign()

    # ---- by hand -----------------------------------------------------------------------------

    def carry_out(self, *kinds: type[fx.Effect], messages: int = 1) -> None:
        """Of each kind the newest order, if there is one; a fetch brings so many messages."""
        node = self.nodes[-1]
        for kind in kinds:
            orders = [e for e in node.pending if isinstance(e, kind) and self._can(e)]
            if orders:
                self._order(node, orders[-1], calm=True, messages=messages)

    def wait(self, seconds: float) -> None:
        """Time passes for the newest node."""
        node = self.nodes[-1]
        node.now += seconds
        self._step(node, ev.TimePassed())

    def ask_up_to(self, timestamp: int) -> None:
        """A caller waits until the checkpoint has passed a timestamp."""
        node = self.nodes[-1]
        request = AwaitTimestampsRequest(node.server_id, (AwaitedTimestamp(VCHANNEL, timestamp),))
        self._step(node, ev.AwaitArrived(0, request))

    def watch_again(self) -> None:
        """The newest watch is sent again."""
        self._send_watch(*self.watches[-1])

    # ---- to the end --------------------------------------------------------------------------

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
        raise Violation(f"LIVE the checkpoint stays at {self.checkpoint}")

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
        flow = node.machine.flows.get(VCHANNEL)
        return flow is None or flow.ended

    def _reached(self) -> bool:
        growing = [s for s in self.channel.live_segments() if s.state is SegmentState.GROWING]
        end = self.log[-1].group.last_timestamp
        return self.dropped or (self.checkpoint.passed(end) and not growing)

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

    def _order(
        self, node: Node, effect: fx.Effect, *, calm: bool, messages: int | None = None
    ) -> None:
        node.pending.remove(effect)
        unlucky = not calm and self.chance.random() < 0.25
        match effect:
            case fx.Fetch():
                count = self.chance.randint(1, 4) if messages is None else messages
                groups = self.log[effect.next_id - 1 :][:count]
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
        left_out = self._move(request)
        if unlucky:
            self._step(node, ev.MovesUnanswered("the answer was lost"))
        else:
            self._step(node, ev.MovesAnswered(left_out))

    def _deliver_copy(self, copy: SaveBinlogPathsRequest | SaveCheckpointsRequest) -> None:
        if isinstance(copy, SaveBinlogPathsRequest):
            self._take(copy)
        else:
            self._move(copy)

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
        channel, at = self.channel, self.checkpoint.timestamp
        named: Counter[Part] = Counter()
        for record in channel.live_segments():
            named += self._stored(record.files)
            sealed = self._sealed_at(record.id)
            if sealed is not None and sealed <= at and record.state is SegmentState.GROWING:
                raise Violation(f"CP-2 passed the Seal of segment {record.id}")
        named += self._stored([delta.value for delta in channel.deltas.values()])
        known = {s.id: s.checkpoint.timestamp for s in channel.all_segments()}
        known[DELTA] = channel.deletes.value.checkpoint.timestamp if channel.deletes else 0
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
        if drop is not None and self.checkpoint.passed(drop):
            return True
        return partition in self.channel.checkpoint.value.dropped_partitions

    def _stored(self, files: Sequence[FileRef]) -> Counter[Part]:
        found: Counter[Part] = Counter()
        for file in files:
            if file.key not in self.objects:
                raise Violation(f"OB-1 {file.key} is named and missing")
            found += self.objects[file.key]
        return found

    def _sealed_at(self, segment_id: int) -> int | None:
        opened = min(t for t, s in self.parts if s == segment_id)
        for timestamp, entry in self._entries():
            mine = isinstance(entry, Seal) and entry.segment_id == segment_id
            if timestamp > opened and (mine or isinstance(entry, TermStart | Ddl)):
                return timestamp
        return None

    def _check_flushed(self, record: SegmentRecord) -> None:
        ours = Counter(p for p in self.parts if p[1] == record.id)
        if self._stored(record.files) != ours:
            raise Violation(f"SG-2 segment {record.id} was flushed with {record.files}")


def run_checked(seed: int) -> None:
    """One run; raises `Violation`."""
    world = World(seed)
    world.play(250)
    world.finish()
    world.check()
    world.check_memory()


def run(seed: int) -> str:
    """One run; what was violated, "" = nothing."""
    try:
        run_checked(seed)
    except Violation as violation:
        return str(violation)
    return ""
