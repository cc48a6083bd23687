"""The rules of the protocol on the data service's side, each a small function of its own.

**Owns** the sentences that keep rows from being lost or doubled, in the words of the protocol's
model. **Does not own** when they are asked (the modules around). Nobody decides one of these
elsewhere, and everybody calls them as `rules.NAME`: so a simulator can switch one off and show that
the checkers notice.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from headrace.binlog import paths
from headrace.meta.api import Compare, ModRevisionIs, Operation
from headrace.meta.records import CheckpointRecord, EpochRecord, SegmentRecord
from headrace.model.ids import CollectionId, Epoch, MessageId, Revision, ServerId
from headrace.model.position import Position
from headrace.model.segment import SegmentState
from headrace.model.timestamp import Timestamp

T = TypeVar("T")

# ---- reports -------------------------------------------------------------------------------------


def epoch_agrees(record: EpochRecord, epoch: Epoch, server_id: ServerId) -> bool:
    """Reports compare the epoch (CH-1)."""
    return record.epoch == epoch and record.server_id == server_id and not record.ended


def extends(stands: Position | None, extended: Position | None) -> bool:
    """Reports compare what they extend: nothing, or exactly the checkpoint that stands (DL-1)."""
    return stands == extended


def is_done(already_new: bool) -> bool:
    """Present = new is done: the answer to an earlier copy was lost."""
    return already_new


def is_forgotten(record: SegmentRecord | None, checkpoint: CheckpointRecord) -> bool:
    """A report for a dropped segment is done: forget it."""
    return record is not None and is_dropped(record, checkpoint)


def one_transaction(
    files: Sequence[Operation], checkpoints: Sequence[Operation]
) -> tuple[tuple[Operation, ...], ...]:
    """Files and checkpoint in one transaction."""
    return ((*files, *checkpoints),)


def reads_compared(reads: Iterable[ModRevisionIs]) -> tuple[Compare, ...]:
    """A report is one transaction with its reads."""
    return tuple(reads)


# ---- assignments ---------------------------------------------------------------------------------


def epoch_compared(key: str, revision: Revision) -> tuple[Compare, ...]:
    """An epoch is written by compare-and-swap."""
    return (ModRevisionIs(key, revision),)


def watch_revision(read_after: Revision, epoch_written: Revision) -> Revision:
    """The watch is read after its epoch is written: at a revision not before it."""
    assert read_after >= epoch_written, (read_after, epoch_written)
    return read_after


def names_growing(state: SegmentState) -> bool:
    """The watch names every segment that is not flushed or dropped."""
    return state in (SegmentState.GROWING, SegmentState.SEALED)


def names_above_seek(checkpoint: Position, seek: Position) -> bool:
    """The watch names flushed and dropped segments whose last position is above the seek."""
    return checkpoint.timestamp > seek.timestamp


# ---- drops ---------------------------------------------------------------------------------------


def is_dropped(record: SegmentRecord, checkpoint: CheckpointRecord) -> bool:
    """Segments are dropped when the checkpoint passes the drop, neither earlier nor later."""
    return record.state is SegmentState.DROPPED or checkpoint.drops(record.partition_id)


def ended_by_drop(record: EpochRecord) -> EpochRecord:
    """A drop ends the epoch, in the transaction in which the checkpoint passes it."""
    return EpochRecord(epoch=record.epoch + 1, server_id=0, node_name="", ended=True)


def passed_by_drop(record: CheckpointRecord, partitions: Iterable[int]) -> CheckpointRecord:
    """The checkpoint record once the drop of these partitions is behind it."""
    dropped = sorted({*record.dropped_partitions, *partitions})
    return replace(record, dropped_partitions=tuple(dropped))


def meta_may_go(record: SegmentRecord, checkpoint: CheckpointRecord) -> bool:
    """Dropped meta stays until the channel checkpoint has passed its last position."""
    return checkpoint.dropped or checkpoint.position.timestamp >= record.checkpoint.timestamp


# ---- lists ---------------------------------------------------------------------------------------


def list_revision(read: Revision) -> Revision:
    """A list is read at one revision over all pages: the one to name in every read."""
    return read


def list_key(collection_id: CollectionId, revision: Revision) -> str:
    """Lists are named by the revision at which they were read; the highest counts."""
    return paths.manifest_key(collection_id, revision)


def list_timestamp(checkpoints: Iterable[Position]) -> Timestamp:
    """A snapshot at T exists once every vchannel's checkpoint has passed T (SN-1)."""
    return min(p.timestamp for p in checkpoints)


# ---- garbage -------------------------------------------------------------------------------------


def collector_reads(epochs: T, references: T) -> tuple[T, T]:
    """The collector reads the epochs first, the references second: its reads in their order."""
    return epochs, references


def is_of_older_epoch(epoch: Epoch, present: Epoch) -> bool:
    """The collector spares the present epoch of the vchannel."""
    return epoch < present


def may_go_whatever_epoch(of_dropped_segment: bool) -> bool:
    """Files of a dropped segment's meta go whatever their epoch."""
    return of_dropped_segment


def list_lacks(key: str, listed: frozenset[str]) -> bool:
    """A file goes when a list without it is stored."""
    return key not in listed


def list_read_later(list_read: Revision, left_meta: Revision) -> bool:
    """That list was read at a revision at which meta no longer named the file."""
    return list_read >= left_meta


# ---- truncate
# ----------------------------------------------------------------------------------------


def truncate_below(
    window: MessageId, checkpoints: Iterable[MessageId], mark: MessageId
) -> MessageId:
    """Truncation stays below every checkpoint and the window; the mark never falls."""
    return max(mark, min((window, *checkpoints)))
