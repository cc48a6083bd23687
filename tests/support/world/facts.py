"""Facts of a made cluster, as the data service meets them: places in a log, files, reports.

**Owns** how they are made from small numbers. **Does not own** the cluster
(`support.world.dataservice`).
"""

from typing import Any

from headrace.binlog import paths
from headrace.model.channel import Position, pchannel_of, vchannel_name
from headrace.model.schema import DataType, Field, Schema
from headrace.model.segment import FileRef
from headrace.model.timestamp import compose
from headrace.rpc.messages import (
    DeletesReport,
    SaveBinlogPathsRequest,
    SegmentReport,
)

SCHEMA = Schema(fields=(Field(id=100, name="id", type=DataType.INT64, primary=True),))
COLLECTION, PARTITION = 7, 70


def stamp(number: int) -> int:
    """The timestamp of message `number` of any pchannel: one message a second."""
    return compose(1_700_000_000_000 + number * 1000)


def position(vchannel: str, number: int) -> Position:
    """Behind message `number` of the vchannel's pchannel."""
    pchannel = pchannel_of(vchannel) if "_" in vchannel else vchannel
    return Position(pchannel, number, stamp(number))


def vchannels_of(collection_id: int, count: int) -> list[str]:
    """One vchannel in each of the first pchannels."""
    return [vchannel_name(f"p-{n}", collection_id, n) for n in range(count)]


def insert_file(vchannel: str, segment_id: int, epoch: int, number: int, last: int) -> FileRef:
    """A file of one sync, whose last row stands in message `last`."""
    collection_id = int(vchannel.split("_")[1].split("v")[0])
    key = paths.insert_key(collection_id, PARTITION, segment_id, epoch, number)
    return FileRef(
        key=key,
        epoch=epoch,
        rows=10,
        size_bytes=100,
        first_timestamp=stamp(last),
        last_timestamp=stamp(last),
        stats_key=paths.stats_key(key),
    )


def segment_report(
    vchannel: str,
    segment_id: int,
    epoch: int,
    number: int,
    span: tuple[int | None, int],
    *,
    flushed: bool = False,
    partition_id: int = PARTITION,
) -> SegmentReport:
    """Rows of one sync: the segment checkpoint moves over `span` (None = a new segment)."""
    extends, checkpoint = span
    file = insert_file(vchannel, segment_id, epoch, number, checkpoint)
    return SegmentReport(
        segment_id=segment_id,
        collection_id=COLLECTION,
        partition_id=partition_id,
        version=1,
        files=(file,),
        rows=10,
        start=position(vchannel, extends or 1),
        extends=None if extends is None else position(vchannel, extends),
        checkpoint=position(vchannel, checkpoint),
        flushed=flushed,
    )


def deletes_report(
    vchannel: str, epoch: int, number: int, span: tuple[int | None, int]
) -> DeletesReport:
    """Deletes of one sync."""
    extends, checkpoint = span
    file = FileRef(
        key=paths.delta_key(COLLECTION, vchannel, epoch, number),
        epoch=epoch,
        rows=1,
        size_bytes=10,
        first_timestamp=stamp(checkpoint),
        last_timestamp=stamp(checkpoint),
    )
    return DeletesReport(
        files=(file,),
        rows=1,
        extends=None if extends is None else position(vchannel, extends),
        checkpoint=position(vchannel, checkpoint),
    )


def report(
    vchannel: str,
    epoch: int,
    span: tuple[int, int],
    *segments: SegmentReport,
    server_id: int = 1,
    **more: Any,
) -> SaveBinlogPathsRequest:
    """A report that moves the channel checkpoint over `span`."""
    return SaveBinlogPathsRequest(
        server_id=server_id,
        vchannel=vchannel,
        epoch=epoch,
        segments=tuple(segments),
        deletes=more.pop("deletes", None),
        channel_extends=position(vchannel, span[0]),
        channel_checkpoint=position(vchannel, span[1]),
        **more,
    )
