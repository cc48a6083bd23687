"""Watches: what a flowgraph has to know to begin, read after its epoch is written.

All of one watch is read at one revision, not before that of its epoch: whatever the epoch before
committed up to its end is in it.
"""

from collections.abc import Iterable

from headrace.dataservice.state.channel_state import VChannelState, read_channel
from headrace.meta.api import MetaStore
from headrace.meta.keys import Keys
from headrace.meta.records import DdlRecord, EpochRecord
from headrace.model import codec
from headrace.model.channel import Position, VChannel, parse_vchannel
from headrace.model.errors import Corrupt, NotFound
from headrace.model.ids import Epoch
from headrace.model.segment import SegmentState
from headrace.rpc.messages import Watch, WatchedSchema, WatchedSegment


async def read_watch(meta: MetaStore, keys: Keys, vchannel: VChannel, epoch: Epoch) -> Watch | None:
    """The watch of this epoch; None when the vchannel has another one by now.

    `Corrupt` when the history of its collection is not there; `Unavailable`; `Compacted`.
    """
    head = await meta.get(keys.epoch(vchannel))
    if head.first is None:
        return None
    record = codec.decode(head.first.value, EpochRecord, head.first.key)
    if record.epoch != epoch or record.ended:
        return None
    revision = head.revision  # DL-1: the watch is read after its epoch is written
    try:
        channel = await read_channel(meta, keys, vchannel, revision=revision)
    except NotFound:
        return None
    collection_id = parse_vchannel(vchannel).collection_id
    history = await meta.range(keys.ddl_prefix(collection_id), revision=revision)
    ddls = [codec.decode(item.value, DdlRecord, item.key) for item in history.items]
    if not ddls:
        raise Corrupt(f"collection {collection_id} has no history", channel=vchannel)
    return watch_of(channel, epoch, ddls)


def watch_of(channel: VChannelState, epoch: Epoch, ddls: Iterable[DdlRecord]) -> Watch:
    """The watch that a channel state and the history of its collection amount to."""
    seek = channel.checkpoint.value.position
    return Watch(
        vchannel=channel.vchannel,
        epoch=epoch,
        collection_id=parse_vchannel(channel.vchannel).collection_id,
        seek=seek,
        deletes_checkpoint=channel.deletes.value.checkpoint if channel.deletes else None,
        schemas=schemas_from(channel.vchannel, seek, ddls),
        segments=segments_from(channel, seek),
        dropped_partitions=channel.checkpoint.value.dropped_partitions,
    )


def segments_from(channel: VChannelState, seek: Position) -> tuple[WatchedSegment, ...]:
    """Every segment that is not flushed or dropped, and those whose last position is above the
    seek position: replay must not store their rows again."""
    watched = []
    for record in channel.all_segments():
        state = channel.state_of(record)
        growing = state in (SegmentState.GROWING, SegmentState.SEALED)
        # DL-1: the watch names every growing segment, and others above the seek position
        if growing or record.checkpoint.timestamp > seek.timestamp:
            watched.append(
                WatchedSegment(
                    segment_id=record.id,
                    partition_id=record.partition_id,
                    version=record.version,
                    state=state,
                    start=record.start,
                    checkpoint=record.checkpoint,
                )
            )
    return tuple(sorted(watched, key=lambda s: s.segment_id))


def schemas_from(
    vchannel: VChannel, seek: Position, ddls: Iterable[DdlRecord]
) -> tuple[WatchedSchema, ...]:
    """The version in force at the seek position and every later recorded one, noted or not."""
    ordered = sorted(ddls, key=lambda d: d.version)
    behind = [d.version for d in ordered if _passed(d, vchannel, seek)]
    in_force = max(behind, default=0)
    return tuple(
        WatchedSchema(
            version=d.version,
            schema=d.schema,
            timestamp=d.positions[vchannel].timestamp if vchannel in d.positions else 0,
        )
        for d in ordered
        if d.version >= in_force
    )


def _passed(ddl: DdlRecord, vchannel: VChannel, seek: Position) -> bool:
    return vchannel in ddl.positions and seek.passed(ddl.positions[vchannel].timestamp)
