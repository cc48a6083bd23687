"""The next group: which entries go into one message, in which order, with which timestamps.

DDL come first, with the Seals that they bring, then Seals, rows, and a tick if nothing else moves
time on. A group that is thrown away with its term does no harm: only segments, leases and the
grant's rest were touched.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from headrace.model import codec
from headrace.model.entry import Ddl, Entry, Rows, Seal, SegmentRows, Tick
from headrace.sequencer.append.grants import Grants, GroupTimestamps
from headrace.sequencer.append.leases import Leases
from headrace.sequencer.append.segments import OpenSegment, Segments
from headrace.sequencer.requests.control_entries import DdlOrder, SealOrder
from headrace.sequencer.requests.queue import Part, PartQueue
from headrace.sequencer.requests.versions import CollectionVersions, VersionVerdict
from headrace.sequencer.requests.window import span
from headrace.sequencer.settings import SequencerSettings

SEAL_BYTES = 128  # of a Seal or tick in a group's head, about


@dataclass(slots=True)
class Built:
    """A group that is ready to be sent, and what follows when it stands."""

    entries: list[Entry] = field(default_factory=list)
    parts: list[tuple[Part, Rows]] = field(default_factory=list)
    ddls: list[tuple[DdlOrder, list[Ddl]]] = field(default_factory=list)
    seals: list[SealOrder] = field(default_factory=list)
    size_bytes: int = 0


@dataclass(slots=True)
class Turned:
    """Parts that turned out not to go into the group."""

    to_park: list[Part] = field(default_factory=list)
    ahead: list[Part] = field(default_factory=list)  # first sent in the future


class Grouping:
    """Builds groups out of what one open term has."""

    def __init__(
        self,
        settings: SequencerSettings,
        queue: PartQueue,
        versions: CollectionVersions,
        segments: Segments,
        grants: Grants,
        leases: Leases,
    ) -> None:
        self._settings = settings
        self._queue = queue
        self._versions = versions
        self._segments = segments
        self._grants = grants
        self._leases = leases
        self._lead = span(settings.first_sent_lead_s)

    def build(
        self,
        timestamps: GroupTimestamps,
        ddls: Sequence[DdlOrder],
        seals: Sequence[SealOrder],
        due: Sequence[OpenSegment],
        tick: bool,
        now: float,
    ) -> tuple[Built, Turned]:
        """As much as one message takes. Empty when nothing can go now."""
        built, turned = Built(), Turned()
        for order in ddls:
            self._add_ddl(built, timestamps, order)
        for seal_order in seals:
            self._add_seals(built, timestamps, seal_order)
        for segment in due:
            if self._segments.has(segment) and self._room(built, timestamps, SEAL_BYTES):
                self._seal(built, timestamps, segment)
        self._add_rows(built, turned, timestamps, now)
        if tick and not built.entries:
            self._add(built, Tick(timestamps.take()), SEAL_BYTES)
        return built, turned

    # ---- DDL and Seals -----------------------------------------------------------------------

    def _add_ddl(self, built: Built, timestamps: GroupTimestamps, order: DdlOrder) -> None:
        """Its Seals, then its entries; what does not fit goes on in the next group, and no segment
        is opened meanwhile, since rows of these vchannels wait."""
        for vchannel in order.vchannels:
            for segment in self._segments.sealed_by(vchannel, order.ddl):
                if self._left(built, timestamps) < 1:
                    return
                self._seal(built, timestamps, segment)
        if self._left(built, timestamps) < len(order.vchannels):
            return
        schema = codec.encode(order.ddl.schema)
        entries: list[Ddl] = []
        for vchannel in order.vchannels:
            entry = Ddl(
                vchannel=vchannel,
                timestamp=timestamps.take(),
                collection_id=order.ddl.collection_id,
                version=order.ddl.version,
                kind=order.ddl.kind,
                schema=schema,
                partition_id=order.ddl.partition_id,
            )
            self._add(built, entry, SEAL_BYTES + len(schema))
            self._segments.end(vchannel, order.ddl)
            entries.append(entry)
        built.ddls.append((order, entries))

    def _add_seals(self, built: Built, timestamps: GroupTimestamps, order: SealOrder) -> None:
        """Its Seals, or a tick, all above `order.above`; what finds no room or no timestamp waits
        for the next group."""
        above = order.above
        for segment in self._segments.of_collection(order.collection_id, order.only):
            if not self._room(built, timestamps, SEAL_BYTES) or not timestamps.has_above(above):
                return
            self._seal(built, timestamps, segment, above)
            order.sealed.append(segment.id)
        last = built.entries[-1].timestamp if built.entries else 0
        if last <= above:
            if not self._room(built, timestamps, SEAL_BYTES) or not timestamps.has_above(above):
                return
            self._add(built, Tick(timestamps.take(above)), SEAL_BYTES)
        built.seals.append(order)

    def _seal(
        self, built: Built, timestamps: GroupTimestamps, segment: OpenSegment, above: int = 0
    ) -> None:
        """Write the Seal of an open segment, at a timestamp above `above`; it is open no more."""
        entry = Seal(segment.vchannel, timestamps.take(above), segment.id)
        self._segments.close(segment)
        self._add(built, entry, SEAL_BYTES)

    # ---- rows ----------------------------------------------------------------------------------

    def _add_rows(
        self, built: Built, turned: Turned, timestamps: GroupTimestamps, now: float
    ) -> None:
        for part in self._queue.ready():
            if not self._grants.covers(part.need):
                return
            if self._versions.judge(part.request) is not VersionVerdict.READY:
                turned.to_park.append(part)
            elif part.request.first_sent > timestamps.peek() + self._lead:
                turned.ahead.append(part)
            elif not self._fits(built, timestamps, part) or not self._add_part(
                built, timestamps, part, now
            ):
                return

    def _fits(self, built: Built, timestamps: GroupTimestamps, part: Part) -> bool:
        """Whether the part fits, and a Seal behind it."""
        return self._left(built, timestamps) >= 2 and self._room(built, timestamps, part.size_bytes)

    def _add_part(self, built: Built, timestamps: GroupTimestamps, part: Part, now: float) -> bool:
        """False: there are not enough ids."""
        request = part.request
        first_id = 0
        placed: tuple[SegmentRows, ...] = ()
        if request.rows:
            taken = self._leases.take(request.rows + self._segments.opens(request))
            if taken is None:
                return False
            first_id = taken
            placed = (self._segments.place(request, first_id + request.rows, now),)
        entry = Rows(
            vchannel=request.vchannel,
            timestamp=timestamps.take(),
            collection_id=request.collection_id,
            partition_id=request.partition_id,
            version=request.version,
            part_id=request.part_id,
            fingerprint=request.fingerprint,
            first_sent=request.first_sent,
            keyed=request.keyed,
            rows=request.rows,
            first_row_id=first_id,
            segments=placed,
            body=request.body,
            deletes=request.deletes,
            delete_body=request.delete_body,
            delete_partition_id=request.delete_partition_id,
        )
        self._add(built, entry, part.size_bytes)
        built.parts.append((part, entry))
        full = self._segments.full(request) if request.rows else None
        if full is not None:
            self._seal(built, timestamps, full)
        return True

    # ---- limits --------------------------------------------------------------------------------

    def _add(self, built: Built, entry: Entry, size_bytes: int) -> None:
        built.entries.append(entry)
        built.size_bytes += size_bytes

    def _left(self, built: Built, timestamps: GroupTimestamps) -> int:
        """How many entries still fit."""
        return min(timestamps.left, self._settings.group_entries_max - len(built.entries))

    def _room(self, built: Built, timestamps: GroupTimestamps, size_bytes: int) -> bool:
        """Whether an entry of that size fits; the first of a group always does."""
        if self._left(built, timestamps) < 1:
            return False
        return not built.entries or (
            built.size_bytes + size_bytes <= self._settings.group_bytes_max
        )
