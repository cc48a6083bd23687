"""A data service that decides on reports as production does, and keeps what it is told."""

from collections.abc import Callable, Sequence
from typing import Any

from headrace.model.channel import Position
from headrace.model.errors import HeadraceError
from headrace.rpc import messages as m
from support.world.committed import Committed
from support.world.edges import Edges


class FakeDataService:
    """`reports` are those that were applied; `refusals` are raised instead of an answer, one for
    each report, oldest first. `names` are the lists of names that it stored."""

    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self.meta = Committed()
        self.reports: list[m.SaveBinlogPathsRequest] = []
        self.moves: list[m.SaveCheckpointsRequest] = []
        self.new_epochs: list[m.NewEpochRequest] = []
        self.refusals: list[HeadraceError] = []
        self.names: list[dict[str, str]] = []
        self.orders: list[Any] = []
        self.flushed = True  # what it says of every flush
        self.segments: Callable[[int], Sequence[m.SegmentInfo]] = lambda collection_id: ()

    def handlers(self) -> dict[type, Any]:
        """All that it answers."""
        return {
            m.SaveBinlogPathsRequest: self._save,
            m.SaveCheckpointsRequest: self._move,
            m.NewEpochRequest: self._new_epoch,
            m.StoreNamesRequest: self._store_names,
            m.SegmentsRequest: self._segments,
            m.FlushStateRequest: self._flush_state,
        }

    def checkpoint(self, vchannel: str) -> Position:
        """Of a channel, as it is committed."""
        return self.meta.channels[vchannel].checkpoint.value.position

    async def _save(self, request: m.SaveBinlogPathsRequest) -> m.SaveBinlogPathsResponse:
        if self.refusals:
            raise self.refusals.pop(0)
        outcome = self.meta.save(request)
        if outcome == "applied":
            self.reports.append(request)
        return m.SaveBinlogPathsResponse(outcome)

    async def _move(self, request: m.SaveCheckpointsRequest) -> m.SaveCheckpointsResponse:
        self.moves.append(request)
        return m.SaveCheckpointsResponse(self.meta.move(request))

    async def _new_epoch(self, request: m.NewEpochRequest) -> m.Done:
        self.new_epochs.append(request)
        return m.Done()

    async def _store_names(self, request: m.StoreNamesRequest) -> m.Done:
        prefix = self._edges.keys.names_prefix
        found = self._edges.store.read(prefix, True, 0)
        assert found.revision >= request.revision
        self.names.append({i.key.removeprefix(prefix): i.value.decode() for i in found.items})
        return m.Done()

    async def _segments(self, request: m.SegmentsRequest) -> m.SegmentsResponse:
        return m.SegmentsResponse(tuple(self.segments(request.collection_id)))

    async def _flush_state(self, request: m.FlushStateRequest) -> m.FlushStateResponse:
        self.orders.append(request)
        return m.FlushStateResponse(flushed=self.flushed)
