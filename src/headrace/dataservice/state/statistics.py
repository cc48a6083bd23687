"""Statistics: the segments of collections with their rows, read from meta when they are asked for.

**Owns** the answer to Segments (row counts and persistent segments at the front door). **Does not
own** anything kept: what is asked seldom is read then. Rows are those that meta counts: all in
segments that are not dropped, deleted and replaced ones included.
"""

from collections.abc import Sequence

from headrace.dataservice.state.channel_state import VChannelState, read_channel
from headrace.meta.api import MetaStore
from headrace.meta.keys import Keys
from headrace.model.channel import VChannel
from headrace.model.errors import NotFound
from headrace.rpc.messages import SegmentInfo


async def read_segments(
    meta: MetaStore, keys: Keys, vchannels: Sequence[VChannel]
) -> tuple[SegmentInfo, ...]:
    """All segments of these vchannels that are not dropped, in order of id; `Unavailable`.

    A vchannel that has gone meanwhile has none.
    """
    found: list[SegmentInfo] = []
    for vchannel in vchannels:
        try:
            channel = await read_channel(meta, keys, vchannel)
        except NotFound:
            continue
        found += segments_of(channel)
    return tuple(sorted(found, key=lambda s: s.segment_id))


def segments_of(channel: VChannelState) -> list[SegmentInfo]:
    """The segments of one vchannel that are not dropped."""
    return [
        SegmentInfo(
            segment_id=record.id,
            collection_id=record.collection_id,
            partition_id=record.partition_id,
            vchannel=record.vchannel,
            rows=record.rows,
            state=record.state,
            size_bytes=record.size_bytes,
            node_id=channel.epoch.value.server_id,
        )
        for record in channel.live_segments()
    ]
