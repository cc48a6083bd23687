"""Control entries: recorded DDL, and Seals or ticks above a timestamp.

An order waits for timestamps, goes into a group, and is answered when its entries stand.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from headrace.meta.records import CollectionRecord, DdlRecord
from headrace.model.channel import PChannel, Position, VChannel, pchannel_of
from headrace.model.entry import Ddl
from headrace.model.errors import Conflict, HeadraceError
from headrace.model.ids import MessageId, SegmentId
from headrace.rpc.messages import (
    AppendDdlResponse,
    SealRequest,
    SealResponse,
    VChannelPosition,
)
from headrace.sequencer.append.grants import Grants
from headrace.sequencer.append.segments import Segments
from headrace.sequencer.effects import Answer, Effect, Refuse
from headrace.sequencer.events import Call, MetaView
from headrace.sequencer.requests.versions import CollectionVersions


@dataclass(slots=True, eq=False)
class DdlOrder:
    """A recorded DDL that is to be appended; `calls` wait for its positions."""

    record: CollectionRecord
    ddl: DdlRecord
    vchannels: tuple[VChannel, ...]  # of this pchannel
    need: int  # number of the `AskGrant` that it needs
    calls: list[Call] = field(default_factory=list)
    sent: bool = False


@dataclass(slots=True, eq=False)
class SealOrder:
    """Seals, or a tick, asked for above a timestamp."""

    call: Call
    collection_id: int
    above: int
    only: tuple[SegmentId, ...]
    need: int
    sealed: list[SegmentId] = field(default_factory=list)
    sent: bool = False


class ControlEntries:
    """Of one open term."""

    def __init__(self, pchannel: PChannel, versions: CollectionVersions, grants: Grants) -> None:
        self._pchannel = pchannel
        self._versions = versions
        self._grants = grants
        self._ddls: list[DdlOrder] = []
        self._seals: list[SealOrder] = []

    def __bool__(self) -> bool:
        return bool(self._ddls or self._seals)

    def recorded(self, view: MetaView) -> None:
        """What is recorded and not noted is appended first, before any row of its collection."""
        found: dict[int, DdlOrder] = {}
        for v in view.vchannels:
            if v.recorded is not None and v.record.id not in found:
                vchannels = self._ours(v.record)
                order = DdlOrder(v.record, v.recorded, vchannels, self._grants.need())
                found[v.record.id] = order
        for order in found.values():  # RQ-1: what is recorded is appended first
            self._begin(order)

    def ddl(self, call: Call, record: CollectionRecord, ddl: DdlRecord) -> list[Effect]:
        """A recorded DDL; repeated by the master service until it is answered."""
        for order in self._ddls:
            if (order.ddl.collection_id, order.ddl.version) == (ddl.collection_id, ddl.version):
                order.calls.append(call)
                return []
        vchannels = self._ours(record)
        present = [self._versions.get(v) for v in vchannels]
        if all(p is not None and p.version >= ddl.version for p in present):
            found = [p.position for p in present if p and p.version == ddl.version and p.position]
            if len(found) < len(vchannels):
                return [Refuse(call, Conflict(f"version {ddl.version} was noted long ago"))]
            places = [VChannelPosition(v, p) for v, p in zip(vchannels, found, strict=True)]
            return [Answer(call, AppendDdlResponse(tuple(places)))]
        self._begin(DdlOrder(record, ddl, vchannels, self._grants.need(), [call]))
        return []

    def seal(self, call: Call, request: SealRequest) -> list[Effect]:
        """Seals or a tick above a timestamp."""
        self._seals.append(
            SealOrder(
                call=call,
                collection_id=request.collection_id,
                above=request.above,
                only=request.segment_ids,
                need=self._grants.need(),
            )
        )
        return []

    def answer_done(self, segments: Segments, here: Position) -> list[Effect]:
        """Seals that need nothing more: nothing is open, and what stands is above already."""
        done = [
            order
            for order in self._seals
            if not order.sent
            and here.timestamp > order.above
            and not segments.of_collection(order.collection_id, order.only)
        ]
        return self.seals_stand(done, here)

    def ddls(self) -> list[DdlOrder]:
        """Those for which there are timestamps now."""
        return [d for d in self._ddls if not d.sent and self._grants.covers(d.need)]

    def seals(self) -> list[SealOrder]:
        """Those for which there are timestamps now."""
        return [s for s in self._seals if not s.sent and self._grants.covers(s.need)]

    def ddl_stands(
        self, order: DdlOrder, entries: Iterable[Ddl], message_id: MessageId
    ) -> list[Effect]:
        """The entries of a DDL stand in that message: only now may it be noted (DD-1)."""
        places: list[VChannelPosition] = []
        for entry in entries:
            position = Position(self._pchannel, message_id, entry.timestamp)
            self._versions.raise_to(entry.vchannel, order.ddl, position)
            places.append(VChannelPosition(entry.vchannel, position))
        self._ddls.remove(order)
        return [Answer(call, AppendDdlResponse(tuple(places))) for call in order.calls]

    def seals_stand(self, orders: Iterable[SealOrder], here: Position) -> list[Effect]:
        """What was open is sealed, or time has moved on; `here` is above what each order asks."""
        effects: list[Effect] = []
        for order in orders:
            self._seals.remove(order)
            response = SealResponse(position=here, segment_ids=tuple(order.sealed))
            effects.append(Answer(order.call, response))
        return effects

    def refuse(self, error: HeadraceError, *, sent_too: bool) -> list[Effect]:
        """Refuse the callers of what is not sent, and with `sent_too` also of what is in flight."""
        ddls = [d for d in self._ddls if sent_too or not d.sent]
        seals = [s for s in self._seals if sent_too or not s.sent]
        self._ddls = [d for d in self._ddls if d not in ddls]
        self._seals = [s for s in self._seals if s not in seals]
        effects: list[Effect] = [Refuse(call, error) for d in ddls for call in d.calls]
        return effects + [Refuse(s.call, error) for s in seals]

    def _begin(self, order: DdlOrder) -> None:
        for vchannel in order.vchannels:
            self._versions.begin(vchannel, order.record, order.ddl)
        self._ddls.append(order)

    def _ours(self, record: CollectionRecord) -> tuple[VChannel, ...]:
        return tuple(v for v in record.vchannels if pchannel_of(v) == self._pchannel)
