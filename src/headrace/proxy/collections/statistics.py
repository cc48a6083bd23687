"""How many rows and which segments a collection has, as the data service counts them.

Rows that were deleted or replaced are counted until they are folded away, as in Milvus; rows that
are only in the log are not counted before they are in a file.
"""

from collections.abc import Sequence

from headrace.meta.records import Role
from headrace.model.ids import CollectionId
from headrace.proxy.call import ClientCall
from headrace.proxy.cluster.catalog import Catalog, partition_of
from headrace.proxy.cluster.leaders import Leaders
from headrace.proxy.errors import success
from headrace.proxy.milvus import Message, common_pb, pb
from headrace.rpc.messages import SegmentInfo, SegmentsRequest, SegmentsResponse


class Statistics:
    """The methods that count."""

    def __init__(self, catalog: Catalog, leaders: Leaders) -> None:
        self._catalog = catalog
        self._leaders = leaders

    async def rows(self, collection_id: CollectionId, call: ClientCall) -> int:
        """The rows of a collection's segments."""
        return sum(s.rows for s in await self._segments(collection_id, call))

    async def get_collection_statistics(self, request: Message, call: ClientCall) -> Message:
        """Milvus's GetCollectionStatistics: `row_count`."""
        record = await self._catalog.read(request.collection_name)
        answer = pb.GetCollectionStatisticsResponse(status=success())
        answer.stats.add(key="row_count", value=str(await self.rows(record.id, call)))
        return answer

    async def get_partition_statistics(self, request: Message, call: ClientCall) -> Message:
        """Milvus's GetPartitionStatistics: `row_count`."""
        record = await self._catalog.read(request.collection_name)
        partition_id = partition_of(record, request.partition_name)
        segments = await self._segments(record.id, call)
        rows = sum(s.rows for s in segments if s.partition_id == partition_id)
        answer = pb.GetPartitionStatisticsResponse(status=success())
        answer.stats.add(key="row_count", value=str(rows))
        return answer

    async def get_persistent_segment_info(self, request: Message, call: ClientCall) -> Message:
        """Milvus's GetPersistentSegmentInfo; without states, all that are not dropped."""
        record = await self._catalog.read(request.collectionName)
        answer = pb.GetPersistentSegmentInfoResponse(status=success())
        for segment in await self._segments(record.id, call):
            state = common_pb.SegmentState.Value(segment.state.capitalize())
            if request.states and state not in request.states:
                continue
            answer.infos.add(
                segmentID=segment.segment_id,
                collectionID=segment.collection_id,
                partitionID=segment.partition_id,
                num_rows=segment.rows,
                state=state,
                level=common_pb.SegmentLevel.Value("L1"),
                insert_channel=segment.vchannel,
            )
        return answer

    async def _segments(
        self, collection_id: CollectionId, call: ClientCall
    ) -> Sequence[SegmentInfo]:
        request = SegmentsRequest(collection_id=collection_id)
        answer: SegmentsResponse = await self._leaders.call(Role.DATA_SERVICE, request, call)
        return answer.segments
