"""Commits: what becomes of a report, given what stands.

One transaction carries files, segment meta and checkpoints, and compares all that it rests on: the
epoch, every checkpoint that the report extends, and (`frame.leader_store`) the leader key. A
decision is a pure function of (report, channel), so a repeat of a report is decided anew from what
stands, and that alone says whether an earlier copy was applied. See the protocol, "From row to
meta".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

from headrace.binlog.paths import DataKind, parse_data_key
from headrace.dataservice.state.channel_state import Stored, VChannelState, is_dropped
from headrace.meta.api import MAX_OPERATIONS, Compare, ModRevisionIs, Operation, Put
from headrace.meta.keys import Keys
from headrace.meta.records import CheckpointRecord, DeletesRecord, EpochRecord, SegmentRecord
from headrace.model import codec
from headrace.model.channel import Position, parse_vchannel
from headrace.model.errors import Conflict, Fenced, Invalid
from headrace.model.ids import Epoch, Revision, SegmentId, ServerId
from headrace.model.segment import FileRef, SegmentState
from headrace.rpc.messages import (
    CheckpointMove,
    ReportOutcome,
    SaveBinlogPathsRequest,
    SegmentReport,
)

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """The transaction to do, what it compares, and the channel state once it is done.

    `after` lacks the revision of what was written: `settled` fills it in.
    """

    compare: tuple[Compare, ...]
    operations: tuple[Operation, ...]
    after: VChannelState

    def settled(self, revision: Revision) -> VChannelState:
        """The channel state after the transaction that has this revision."""
        written = {o.key for o in self.operations if isinstance(o, Put)}
        return with_revision(self.after, written, revision)


@dataclass(frozen=True, slots=True)
class Already:
    """Nothing is to be done: `done` or `forgotten`."""

    outcome: ReportOutcome


Decision: TypeAlias = Commit | Already


@dataclass(frozen=True, slots=True)
class _Part:
    """How one part of a report stands to the channel state."""

    what: str
    extends: bool
    new: bool


def decide(report: SaveBinlogPathsRequest, channel: VChannelState, keys: Keys) -> Decision:
    """What to do with a report; raises `Fenced`, `Conflict`, or `Invalid` for a wrong report.

    `Fenced` and `Conflict` are final only if the channel state was read after the report came.
    """
    check(report)
    epoch = channel.epoch.value
    if epoch.ended and epoch.epoch == report.epoch + 1:
        return Already(
            ReportOutcome.DONE if _drop_stands(report, channel) else ReportOutcome.FORGOTTEN
        )
    if not _is_present(epoch, report.epoch, report.server_id):
        raise Fenced(
            f"{report.vchannel} is at epoch {epoch.epoch} of server {epoch.server_id}, the report "
            f"is of epoch {report.epoch} of server {report.server_id}"
        )
    kept = [s for s in report.segments if not _is_forgotten(s.segment_id, channel)]
    parts = [_channel_part(report, channel), *(_segment_part(s, channel) for s in kept)]
    if report.deletes is not None:
        parts.append(_deletes_part(report, channel))
    nothing_else = report.deletes is None and report.channel_extends == report.channel_checkpoint
    if report.segments and not kept and nothing_else:
        return Already(ReportOutcome.FORGOTTEN)
    if all(p.new for p in parts):  # all that it would write stands: an earlier copy was applied
        return Already(ReportOutcome.DONE)
    for part in parts:
        if not part.extends:
            raise Conflict(f"{report.vchannel}: {part.what}")
    return _commit(report, kept, channel, keys)


def check(report: SaveBinlogPathsRequest) -> None:
    """`Invalid` when the report contradicts itself, whatever stands."""
    _check_moves("channel checkpoint", report.channel_extends, report.channel_checkpoint)
    ids = [s.segment_id for s in report.segments]
    if len(set(ids)) != len(ids):
        raise Invalid("a segment occurs twice in a report", field="segments")
    for s in report.segments:
        _check_moves("segment checkpoint", s.extends, s.checkpoint)
        if s.files and s.extends == s.checkpoint:
            raise Invalid("files without a checkpoint that moves", field="segments.checkpoint")
        _check_files(report, s.files, s.segment_id)
    if report.deletes is not None:
        d = report.deletes
        _check_moves("delete checkpoint", d.extends, d.checkpoint)
        _check_files(report, d.files, None)
    operations = 3 + len(report.segments)
    operations += len(report.deletes.files) if report.deletes else 0
    if operations + 1 > MAX_OPERATIONS:
        raise Invalid(
            f"a report of {operations} operations; a transaction has room for {MAX_OPERATIONS - 1}",
            field="segments",
        )


def _check_moves(what: str, extends: Position | None, checkpoint: Position) -> None:
    if extends is not None and checkpoint.timestamp < extends.timestamp:
        raise Invalid(f"the {what} would move back (CP-1)", field=what)


def _check_files(
    report: SaveBinlogPathsRequest, files: Sequence[FileRef], segment_id: SegmentId | None
) -> None:
    """Keys of objects name epoch and number: only what this epoch wrote may be reported in it."""
    collection_id = parse_vchannel(report.vchannel).collection_id
    for file in files:
        key = parse_data_key(file.key)
        if segment_id is None:
            fits = key.kind is DataKind.DELTA and key.vchannel == report.vchannel
        else:
            fits = key.kind is DataKind.INSERT and key.segment_id == segment_id
        if not fits or key.epoch != report.epoch or key.collection_id != collection_id:
            raise Invalid(f"{file.key} is no file of this report", field="files")


# ---- how the parts stand -------------------------------------------------------------------------


def _drop_stands(report: SaveBinlogPathsRequest, channel: VChannelState) -> bool:
    checkpoint = channel.checkpoint.value
    return (
        report.dropped and checkpoint.dropped and (checkpoint.position == report.channel_checkpoint)
    )


def _is_present(record: EpochRecord, epoch: Epoch, server_id: ServerId) -> bool:
    # CH-1: reports compare the epoch
    return record.epoch == epoch and record.server_id == server_id and not record.ended


def _is_forgotten(segment_id: SegmentId, channel: VChannelState) -> bool:
    """A report for a dropped segment is done: its rows are not read."""
    record = channel.segment(segment_id)
    return record is not None and is_dropped(record, channel.checkpoint.value)


def _channel_part(report: SaveBinlogPathsRequest, channel: VChannelState) -> _Part:
    present = channel.checkpoint.value
    dropped = set(report.dropped_partitions) <= set(present.dropped_partitions)
    return _Part(
        f"the channel checkpoint is {present.position}, not {report.channel_extends}",
        # CP-1: reports compare what they extend
        present.position == report.channel_extends and not present.dropped,
        present.position == report.channel_checkpoint
        and dropped
        and present.dropped == report.dropped,
    )


def _segment_part(s: SegmentReport, channel: VChannelState) -> _Part:
    present = channel.segment(s.segment_id)
    state = present.state if present else SegmentState.GROWING
    checkpoint = present.checkpoint if present else None
    growing = state in (SegmentState.GROWING, SegmentState.SEALED)
    return _Part(
        f"segment {s.segment_id} is {state} at {checkpoint}, not growing at {s.extends}",
        checkpoint == s.extends and growing,  # DL-1: reports compare what they extend
        checkpoint == s.checkpoint and s.flushed == (state is SegmentState.FLUSHED),
    )


def _deletes_part(report: SaveBinlogPathsRequest, channel: VChannelState) -> _Part:
    assert report.deletes is not None
    present = channel.deletes.value.checkpoint if channel.deletes else None
    return _Part(
        f"the delete checkpoint is {present}, not {report.deletes.extends}",
        present == report.deletes.extends,
        present == report.deletes.checkpoint,
    )


# ---- the transaction -----------------------------------------------------------------------------


def _commit(
    report: SaveBinlogPathsRequest,
    kept: Sequence[SegmentReport],
    channel: VChannelState,
    keys: Keys,
) -> Commit:
    reads = [channel.epoch.unchanged, channel.checkpoint.unchanged]
    segments = dict(channel.segments)
    for s in kept:
        before = segments.get(s.segment_id)
        key = keys.segment(report.vchannel, s.segment_id)
        reads.append(before.unchanged if before else ModRevisionIs(key, 0))
        segments[s.segment_id] = Stored(key, 0, _extended(s, before, report.vchannel))
    deletes, deltas = channel.deletes, dict(channel.deltas)
    reported = report.deletes.files if report.deletes else ()
    if report.deletes is not None:
        key = keys.deletes(report.vchannel)
        reads.append(deletes.unchanged if deletes else ModRevisionIs(key, 0))
        rows = report.deletes.rows + (deletes.value.rows if deletes else 0)
        record = DeletesRecord(checkpoint=report.deletes.checkpoint, rows=rows)
        deletes = Stored(key, 0, record)
        for file in reported:
            place = _delta_key(report, file, keys)
            deltas[place] = Stored(place, 0, file)
    present = channel.checkpoint.value
    checkpoint = replace(
        present,
        position=report.channel_checkpoint,
        dropped_partitions=tuple(sorted({*present.dropped_partitions, *report.dropped_partitions})),
        dropped=report.dropped,
    )
    epoch = channel.epoch
    if report.dropped:
        # CH-1: a drop ends the epoch, in the transaction in which the checkpoint passes it
        ended = EpochRecord(epoch=epoch.value.epoch + 1, server_id=0, node_name="", ended=True)
        epoch = Stored(epoch.key, 0, ended)
    after = replace(
        channel,
        epoch=epoch,
        checkpoint=Stored(channel.checkpoint.key, 0, checkpoint),
        deletes=deletes,
        deltas=deltas,
        segments=segments,
    )
    after, marked = _marked(after, room=MAX_OPERATIONS - 4 - len(kept) - len(reported))
    reads += [channel.segments[i].unchanged for i in marked if i in channel.segments]
    return _composed(channel, after, reads)


def _composed(
    channel: VChannelState, after: VChannelState, reads: Sequence[ModRevisionIs]
) -> Commit:
    operations: list[Operation] = []  # DL-1: files and checkpoint in one transaction
    for segment_id, s in after.segments.items():
        if channel.segments.get(segment_id) is not s:
            operations.append(_put(s))
    for place, delta in after.deltas.items():
        if place not in channel.deltas:
            operations.append(_put(delta))
    if after.deletes is not None and after.deletes is not channel.deletes:
        operations.append(_put(after.deletes))
    if after.checkpoint.value != channel.checkpoint.value:
        operations.append(_put(after.checkpoint))
    else:
        after = replace(after, checkpoint=channel.checkpoint)
    if after.epoch is not channel.epoch:
        operations.append(_put(after.epoch))
    distinct = {c.key: c for c in reads}
    return Commit(
        compare=tuple(distinct.values()),  # DL-1: a report is one transaction with its reads
        operations=tuple(operations),
        after=after,
    )


def _extended(
    s: SegmentReport, before: Stored[SegmentRecord] | None, vchannel: str
) -> SegmentRecord:
    old = before.value if before else None
    return SegmentRecord(
        id=s.segment_id,
        collection_id=s.collection_id,
        partition_id=s.partition_id,
        vchannel=vchannel,
        version=s.version,
        state=SegmentState.FLUSHED if s.flushed else SegmentState.GROWING,
        rows=s.rows + (old.rows if old else 0),
        start=old.start if old else s.start,
        checkpoint=s.checkpoint,
        files=(*(old.files if old else ()), *s.files),
    )


def _marked(channel: VChannelState, room: int) -> tuple[VChannelState, list[SegmentId]]:
    """Records of segments that this commit drops say so themselves, as far as there is room.

    Unfinished ones first: they lack rows. The channel checkpoint says it of all; the rest follow
    (`drops`).
    """
    told = [
        s
        for s in channel.segments.values()
        if s.value.state is not SegmentState.DROPPED
        and is_dropped(s.value, channel.checkpoint.value)
    ]
    told.sort(key=lambda s: (s.value.state is SegmentState.FLUSHED, s.value.id))
    told = told[: max(0, room)]
    marked = {
        s.value.id: Stored(s.key, 0, replace(s.value, state=SegmentState.DROPPED)) for s in told
    }
    return replace(channel, segments={**channel.segments, **marked}), list(marked)


def _delta_key(report: SaveBinlogPathsRequest, file: FileRef, keys: Keys) -> str:
    key = parse_data_key(file.key)
    return keys.delta(report.vchannel, f"{key.epoch}-{key.number}")


def _put(record: Stored[R]) -> Put:
    return Put(record.key, codec.encode(record.value))


def with_revision(channel: VChannelState, written: set[str], revision: Revision) -> VChannelState:
    """The channel state with this revision on every record that was written with it."""

    def stamp(record: Stored[R]) -> Stored[R]:
        return replace(record, revision=revision) if record.key in written else record

    return replace(
        channel,
        revision=revision,
        epoch=stamp(channel.epoch),
        checkpoint=stamp(channel.checkpoint),
        deletes=stamp(channel.deletes) if channel.deletes else None,
        deltas={k: stamp(v) for k, v in channel.deltas.items()},
        segments={k: stamp(v) for k, v in channel.segments.items()},
    )


# ---- checkpoints alone ---------------------------------------------------------------------------


def decide_move(
    move: CheckpointMove, server_id: int, channel: VChannelState
) -> tuple[Put, VChannelState] | Already | None:
    """What becomes of an idle vchannel's checkpoint: the write and the channel state after it, or
    `done`, or None = left out."""
    epoch, present = channel.epoch.value, channel.checkpoint.value
    if not _is_present(epoch, move.epoch, server_id) or present.dropped:
        return None
    if present.position == move.checkpoint:
        return Already(ReportOutcome.DONE)
    moves_back = move.checkpoint.timestamp < move.extends.timestamp
    if moves_back or present.position != move.extends:
        return None
    record: Stored[CheckpointRecord] = Stored(
        channel.checkpoint.key, 0, replace(present, position=move.checkpoint)
    )
    return _put(record), replace(channel, checkpoint=record)
