"""Plays a data node's machine: a log of made-up entries, and orders carried out by hand.

**Owns** the entries of scripts, their timestamps, and how orders are printed. **Does not own** the
machine. Bodies are bytes of no meaning: a machine never looks into them.

The log is pchannel `p`, with message ids from 1. Entry i (from 1) of message n has timestamp
100 n + i; so `3.02` is printed for the second entry of message 3, and `3.99` where a tick would be.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from headrace.binlog import paths
from headrace.datanode import effects as fx
from headrace.datanode import events as ev
from headrace.datanode.handoff import (
    DeletesSync,
    EncodedObject,
    FetchedGroup,
    SegmentSync,
    SyncPack,
)
from headrace.datanode.machine import DataNodeMachine
from headrace.datanode.pack.encode import with_files
from headrace.datanode.settings import DataNodeSettings
from headrace.model import codec
from headrace.model.channel import Position, parse_vchannel
from headrace.model.entry import Ddl, DdlKind, Entry, Rows, Seal, SegmentRows, TermStart, Tick
from headrace.model.group import Group
from headrace.model.segment import FileRef
from headrace.rpc.messages import (
    AwaitedTimestamp,
    AwaitTimestampsRequest,
    ReleaseDmChannelRequest,
    SaveBinlogPathsRequest,
    SegmentFlushedRequest,
    Watch,
    WatchDmChannelsRequest,
    WatchedSchema,
    WatchedSegment,
)
from support.values.rows import SMALL

SERVER_ID = 1
E = TypeVar("E")
PARTITION = 10
SCHEMA = codec.encode(SMALL)
BYTES_A_ROW = 100


def vchannel(name: str) -> str:
    """`a` -> the vchannel of collection 1's shard 0, `b` -> of collection 2's."""
    return f"p_{ord(name) - ord('a') + 1}v0"


def at(text: str) -> Position:
    """`3.02` -> the position of the second entry of message 3."""
    message, _, entry = text.partition(".")
    return Position("p", int(message), 100 * int(message) + int(entry or 99))


def told(position: Position | None) -> str:
    """`3.02`; the message id stands before it where reading begins in another message."""
    if position is None:
        return "new"
    message, entry = divmod(position.timestamp, 100)
    text = f"{message}.{entry:02d}"
    return text if message == position.message_id else f"{position.message_id}:{text}"


class EntryMaker:
    """Entries from words."""

    def __init__(self) -> None:
        self.versions: dict[str, int] = {}
        self.row_id = 1

    def make(self, text: str, timestamp: int) -> Entry:
        """`rows a 1 5` (5 rows of segment 1), `rows a 1 5 2 3` (and 3 of segment 2), `delete a 2`,
        `upsert a 1 5 2`, `seal a 1`, `ddl a KIND [PARTITION]`, `tick`, `term`; a word `opens` marks
        segments that begin here, `p11` another partition."""
        words = text.split()
        opens = "opens" in words
        partition = PARTITION
        for word in [w for w in words if w == "opens" or (w[0] == "p" and w[1:].isdecimal())]:
            words.remove(word)
            partition = int(word[1:]) if word != "opens" else partition
        kind, *rest = words
        if kind == "tick":
            return Tick(timestamp)
        if kind == "term":
            return TermStart(timestamp, 9)
        name, numbers = rest[0], rest[1:]
        if kind == "seal":
            return Seal(vchannel(name), timestamp, int(numbers[0]))
        if kind == "ddl":
            return self._ddl(name, numbers, timestamp)
        counts = [int(n) for n in numbers]
        deletes = counts.pop() if kind in ("upsert", "delete") else 0
        return self._rows(name, counts, deletes, timestamp, opens, partition)

    def _ddl(self, name: str, words: Sequence[str], timestamp: int) -> Ddl:
        version = self.versions[name] = self.versions.get(name, 1) + 1
        partition = int(words[1]) if len(words) > 1 else 0
        collection = parse_vchannel(vchannel(name)).collection_id
        kind = DdlKind(words[0])
        return Ddl(vchannel(name), timestamp, collection, version, kind, SCHEMA, partition)

    def _rows(
        self,
        name: str,
        counts: Sequence[int],
        deletes: int,
        timestamp: int,
        opens: bool,
        partition: int,
    ) -> Rows:
        ranges, first = [], 0
        for segment_id, rows in zip(counts[::2], counts[1::2], strict=True):
            ranges.append(SegmentRows(segment_id, first, rows, opens))
            first += rows
        self.row_id += first
        return Rows(
            vchannel=vchannel(name),
            timestamp=timestamp,
            collection_id=parse_vchannel(vchannel(name)).collection_id,
            partition_id=partition,
            version=self.versions.get(name, 1),
            part_id=b"",
            fingerprint=b"",
            first_sent=0,
            keyed=False,
            rows=first,
            first_row_id=self.row_id - first,
            segments=tuple(ranges),
            body=bytes(BYTES_A_ROW * first),
            deletes=deletes,
            delete_body=bytes(8 * deletes),
        )


def encoded(pack: SyncPack) -> SyncPack:
    """What an encoder would make of a pack: files of as many bytes."""
    segments = [_segment(pack, part) for part in pack.segments]
    deletes: tuple[DeletesSync | None, tuple[EncodedObject, ...]] = (None, ())
    if pack.deletes is not None:
        where = pack.collection_id, pack.key.vchannel, pack.key.epoch
        item = EncodedObject(paths.delta_key(*where, pack.deletes.number), (b"deletes",))
        file = _file(item, pack, pack.deletes.deletes)
        deletes = replace(pack.deletes, chunks=(), file=file), (item,)
    return with_files(pack, segments, deletes)


def _segment(pack: SyncPack, part: SegmentSync) -> tuple[SegmentSync, tuple[EncodedObject, ...]]:
    if not part.number:
        return part, ()
    where = pack.collection_id, part.partition_id, part.segment_id, pack.key.epoch
    size = sum(rows.size_bytes for rows in part.slices)
    item = EncodedObject(paths.insert_key(*where, part.number), (bytes(size),))
    file = _file(item, pack, part.rows)
    return replace(part, schema=None, slices=(), file=file), (item,)


def _file(item: EncodedObject, pack: SyncPack, rows: int) -> FileRef:
    at = pack.position.timestamp
    return FileRef(
        key=item.key,
        epoch=pack.key.epoch,
        rows=rows,
        size_bytes=item.size_bytes,
        first_timestamp=at,
        last_timestamp=at,
    )


class Player:
    """A machine, its log and the orders that are not carried out yet."""

    def __init__(self) -> None:
        self.machine = DataNodeMachine(DataNodeSettings())
        self.maker = EntryMaker()
        self.log: list[FetchedGroup] = []
        self.term = 0
        self.number = 0
        self.now = 0.0
        self.calls = 0
        self.pending: list[fx.Effect] = []

    def play(self, command: str) -> list[str]:
        """Carry a command out; what it prints."""
        name, _, rest = command.partition(" ")
        method = getattr(self, f"_{name.replace('-', '_')}")
        printed: list[str] = method(rest)
        return printed

    def step(self, event: ev.Event) -> list[str]:
        """One event; the orders that follow."""
        return self.told(self.effects_of(event))

    def effects_of(self, event: ev.Event) -> Sequence[fx.Effect]:
        """What the machine orders at an event."""
        effects = self.machine.step(event, self.now)
        self.machine.validate()
        return effects

    def told(self, effects: Sequence[fx.Effect]) -> list[str]:
        """Keep the orders until they are carried out; how they are printed."""
        printed = []
        for effect in effects:
            if not isinstance(effect, fx.Answer | fx.Tell | fx.CloseReader | fx.Stopped):
                self.pending.append(effect)
            line = self._print(effect)
            if line:
                printed.append(line)
        return printed

    def order(self, kind: type[E]) -> E:
        """The oldest order of this kind, which another part carries out."""
        found = next((e for e in self.pending if isinstance(e, kind)), None)
        assert found is not None, f"no {kind.__name__} is pending, but {self.pending}"
        self.pending.remove(found)
        return found

    # ---- the node ----------------------------------------------------------------------------

    def _node(self, text: str) -> list[str]:
        """`node [SETTING=VALUE ...]`: a fresh machine that is registered."""
        values = dict(word.split("=") for word in text.split())
        known = {n: float(v) if n.endswith(("_s", "share")) else int(v) for n, v in values.items()}
        self.machine = DataNodeMachine(DataNodeSettings(**known))  # type: ignore[arg-type]
        self.pending.clear()
        return self.step(ev.Registered(SERVER_ID))

    def _registered(self, _: str) -> list[str]:
        return self.step(ev.Registered(SERVER_ID))

    def _lost(self, _: str) -> list[str]:
        return self.step(ev.RegistrationLost())

    def _stop(self, _: str) -> list[str]:
        return self.step(ev.StopAsked())

    def _wait(self, seconds: str) -> list[str]:
        self.now += float(seconds)
        return self.step(ev.TimePassed())

    # ---- requests ----------------------------------------------------------------------------

    def _watch(self, text: str) -> list[str]:
        """`watch a EPOCH SEEK [SEGMENT:STATE:START:CHECKPOINT ...] [deletes:POSITION]`."""
        name, epoch, seek, *words = text.split()
        deletes = [at(w.partition(":")[2]) for w in words if w.startswith("deletes:")]
        segments = []
        for word in (w for w in words if w[0].isdecimal()):
            segment_id, state, start, checkpoint = word.split(":")
            segments.append(
                WatchedSegment(
                    segment_id=int(segment_id),
                    partition_id=PARTITION,
                    version=1,
                    state=state,
                    start=at(start),
                    checkpoint=at(checkpoint),
                )
            )
        watch = Watch(
            vchannel=vchannel(name),
            epoch=int(epoch),
            collection_id=parse_vchannel(vchannel(name)).collection_id,
            seek=at(seek),
            deletes_checkpoint=deletes[0] if deletes else None,
            schemas=(WatchedSchema(version=1, schema=SMALL, timestamp=1),),
            segments=tuple(segments),
        )
        return self.step(ev.WatchArrived(self._call(), WatchDmChannelsRequest(SERVER_ID, (watch,))))

    def _release(self, text: str) -> list[str]:
        name, epoch, *words = text.split()
        request = ReleaseDmChannelRequest(
            server_id=SERVER_ID, vchannel=vchannel(name), epoch=int(epoch), drain="drain" in words
        )
        return self.step(ev.ReleaseArrived(self._call(), request))

    def _await(self, text: str) -> list[str]:
        name, position = text.split()
        item = AwaitedTimestamp(vchannel(name), at(position).timestamp)
        return self.step(ev.AwaitArrived(self._call(), AwaitTimestampsRequest(SERVER_ID, (item,))))

    def _announce(self, text: str) -> list[str]:
        """`announce a SEGMENT ...`: these segments are flushed."""
        name, *segments = text.split()
        request = SegmentFlushedRequest(
            vchannel=vchannel(name), segment_ids=tuple(map(int, segments))
        )
        return self.step(ev.FlushAnnounced(self._call(), request))

    def _state(self, _: str) -> list[str]:
        return [
            f"{s.vchannel} epoch={s.epoch} {s.state} consumed={told(s.consumed)} "
            f"checkpoint={told(s.checkpoint)} buffered={s.buffered_bytes}"
            + (f" blocker={s.blocker}" if s.blocker else "")
            + (f" reason={s.reason}" if s.reason else "")
            for s in self.machine.states(self.now)
        ]

    def _budget(self, _: str) -> list[str]:
        b = self.machine.budget
        return [
            f"messages={b.message_bytes} waiting={b.waiting_bytes} writing={b.writing_bytes} "
            f"unreported={b.unreported_bytes}"
        ]

    # ---- the log -----------------------------------------------------------------------------

    def append(self, text: str) -> FetchedGroup:
        """One more message of the log: entries separated by `;`."""
        message_id = len(self.log) + 1
        texts = [t.strip() for t in text.split(";")]
        entries = tuple(self.maker.make(t, 100 * message_id + i) for i, t in enumerate(texts, 1))
        if isinstance(entries[0], TermStart):
            self.term, self.number = message_id, 0
            group = Group(0, 0, entries)
        else:
            self.number += 1
            group = Group(self.term, self.number, entries)
        size = 10 + sum(e.size_bytes for e in entries if isinstance(e, Rows))
        fetched = FetchedGroup(message_id, size, group)
        self.log.append(fetched)
        return fetched

    def _append(self, text: str) -> list[str]:
        self.append(text)
        return []

    def _fetch(self, text: str) -> list[str]:
        """`fetch [MESSAGES] [reader=N]`: a fetch brings that many messages, all there are if no
        number is given."""
        words = text.split()
        wanted = [w.removeprefix("reader=") for w in words if w.startswith("reader=")]
        counts = [int(w) for w in words if w.isdecimal()]
        fetch = next(
            e
            for e in self.pending
            if isinstance(e, fx.Fetch) and (not wanted or e.reader == int(wanted[0]))
        )
        self.pending.remove(fetch)
        groups = self.log[fetch.next_id - 1 :]
        groups = groups[: counts[0]] if counts else groups
        assert groups, f"nothing stands at {fetch.next_id}: the fetch would wait"
        return self.step(ev.GroupsFetched(fetch.reader, tuple(groups)))

    def _corrupt(self, reason: str) -> list[str]:
        """The next message of the oldest fetch is none."""
        fetch = self.order(fx.Fetch)
        return self.step(ev.GroupsFetched(fetch.reader, (), reason))

    # ---- syncs -------------------------------------------------------------------------------

    def _encoded(self, _: str) -> list[str]:
        return self.step(ev.PackEncoded(encoded(self._pack(fx.EncodePack))))

    def _refused(self, reason: str) -> list[str]:
        return self.step(ev.PackRefused(self._pack(fx.EncodePack).key, reason))

    def _stored(self, _: str) -> list[str]:
        return self.step(ev.ObjectsStored(self._pack(fx.PutObjects).key))

    def _put_failed(self, text: str) -> list[str]:
        """`put-failed STORED REASON`: the first STORED objects stand."""
        count, _, reason = text.partition(" ")
        pack = self._pack(fx.PutObjects)
        stored = frozenset(o.key for o in pack.left[: int(count)])
        return self.step(ev.PutFailed(pack.key, stored, reason))

    def _pack(self, kind: type[fx.Effect]) -> SyncPack:
        order = self.order(kind)
        assert isinstance(order, fx.EncodePack | fx.PutObjects)
        return order.pack

    # ---- reports -----------------------------------------------------------------------------

    def _report(self, text: str) -> list[str]:
        """`report applied|done|forgotten|unanswered|conflict|fenced`."""
        order = self.order(fx.SendReport)
        where = order.request.vchannel, order.request.epoch
        if text == "unanswered":
            return self.step(ev.ReportUnanswered(*where, "no answer"))
        if text in ("conflict", "fenced"):
            return self.step(ev.ReportRefused(*where, text == "fenced", f"it met a {text}"))
        return self.step(ev.ReportAnswered(*where, text))

    def _moves(self, text: str) -> list[str]:
        """`moves saved [left-out a ...]`, `moves unanswered`."""
        self.order(fx.SendMoves)
        words = text.split()
        if words[0] == "unanswered":
            return self.step(ev.MovesUnanswered("no answer"))
        return self.step(ev.MovesAnswered(tuple(vchannel(w) for w in words[2:])))

    def _new_epoch(self, text: str) -> list[str]:
        order = self.order(fx.AskNewEpoch)
        where = order.request.vchannel, order.request.epoch
        if text == "unanswered":
            return self.step(ev.NewEpochUnanswered(*where, "no answer"))
        return self.step(ev.NewEpochAnswered(*where))

    # ---- inside ------------------------------------------------------------------------------

    def _call(self) -> int:
        self.calls += 1
        return self.calls

    def _print(self, effect: fx.Effect) -> str:
        match effect:
            case fx.Fetch():
                return f"Fetch reader={effect.reader} from={effect.next_id}"
            case fx.CloseReader():
                self.pending = [
                    e
                    for e in self.pending
                    if not (isinstance(e, fx.Fetch) and e.reader == effect.reader)
                ]
                return f"CloseReader {effect.reader}"
            case fx.EncodePack():
                return _told_pack(effect.pack)
            case fx.PutObjects():
                pack = effect.pack
                again = f" attempt={pack.attempt}" if pack.attempt else ""
                return f"PutObjects {' '.join(o.key for o in pack.left)}{again}"
            case fx.SendReport():
                again = f" attempt={effect.attempt}" if effect.attempt else ""
                return f"SendReport {_told_report(effect.request)}{again}"
            case fx.SendMoves():
                again = f" attempt={effect.attempt}" if effect.attempt else ""
                moves = [
                    f"{m.vchannel} {told(m.extends)}->{told(m.checkpoint)}"
                    for m in effect.request.moves
                ]
                return f"SendMoves {', '.join(moves)}{again}"
            case fx.AskNewEpoch():
                r = effect.request
                return f"AskNewEpoch {r.vchannel} after {r.epoch}: {r.reason}"
            case fx.Answer():
                error = effect.response
                name = type(error).__name__
                return f"Answer {name}" + (f" {error}" if isinstance(error, Exception) else "")
            case fx.Tell():
                return (
                    ""
                    if effect.happening is fx.FlowgraphNotice.SYNC_REPORTED
                    else f"Tell {effect.happening}"
                )
            case fx.Stopped():
                return "Stopped"


def _told_pack(pack: SyncPack) -> str:
    parts = [
        f"{'flush' if p.sealed else 'sync'} {p.segment_id} rows={p.rows} "
        f"{told(p.extends)}->{told(pack.position)}"
        for p in pack.segments
    ]
    if pack.deletes is not None:
        parts.append(f"deletes={pack.deletes.deletes}")
    return f"EncodePack {pack.number} of {pack.key.vchannel}: {', '.join(parts)}"


def _told_report(request: SaveBinlogPathsRequest) -> str:
    parts = [request.vchannel]
    for s in request.segments:
        flushed = " flushed" if s.flushed else ""
        parts.append(
            f"[{s.segment_id} {told(s.extends)}->{told(s.checkpoint)} rows={s.rows} "
            f"files={len(s.files)}{flushed}]"
        )
    if request.deletes is not None:
        d = request.deletes
        parts.append(f"[deletes {told(d.extends)}->{told(d.checkpoint)} rows={d.rows}]")
    parts.append(f"channel {told(request.channel_extends)}->{told(request.channel_checkpoint)}")
    parts += [f"drops partition {p}" for p in request.dropped_partitions]
    parts += ["dropped"] if request.dropped else []
    return " ".join(parts)
