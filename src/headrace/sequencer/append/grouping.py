"""The next group: which entries go into one message, in which order, with which timestamps.

**Owns** the order (DDL with the Seals that it brings, Seals, rows, a tick if nothing else moves
time on) and the limits of a group. **Does not own** when a group is built (`term`), and does no
harm when it is thrown away with its term: only segments, leases and the grant's rest were touched.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from headrace.model import codec
from headrace.model.entry import Ddl, Entry, Rows, Seal, SegmentRows, Tick
from headrace.sequencer.append.grants import Grants, Stamps
from headrace.sequencer.append.leases import Leases
from headrace.sequencer.append.segments import OpenSegment, Segments
from headrace.sequencer.requests.control_entries import DdlWork, SealWork
from headrace.sequencer.requests.queue import Part, Queue
from headrace.sequencer.requests.versions import Verdict, Versions
from headrace.sequencer.requests.window import span
from headrace.sequencer.settings import SequencerSettings

SEAL_BYTES = 128  # of a Seal or tick in a group's head, about


@dataclass(slots=True)
class Built:
    """A group that is ready to be sent, and what follows when it stands."""

    entries: list[Entry] = field(default_factory=list)
    parts: list[tuple[Part, Rows]] = field(default_factory=list)
    ddls: list[tuple[DdlWork, list[Ddl]]] = field(default_factory=list)
    seals: list[SealWork] = field(default_factory=list)
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
        queue: Queue,
        versions: Versions,
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
        stamps: Stamps,
        ddls: Sequence[DdlWork],
        seals: Sequence[SealWork],
        due: Sequence[OpenSegment],
        tick: bool,
        now: float,
    ) -> tuple[Built, Turned]:
        """As much as one message takes. Empty when nothing can go now."""
        built, turned = Built(), Turned()
        for work in ddls:
            self._add_ddl(built, stamps, work)
        for ask in seals:
            self._add_seals(built, stamps, ask)
        for segment in due:
            if self._segments.has(segment) and self._room(built, stamps, SEAL_BYTES):
                self._seal(built, stamps, segment)
        self._add_rows(built, turned, stamps, now)
        if tick and not built.entries:
            self._add(built, Tick(stamps.take()), SEAL_BYTES)
        return built, turned

    # ---- DDL and Seals -----------------------------------------------------------------------

    def _add_ddl(self, built: Built, stamps: Stamps, work: DdlWork) -> None:
        """Its Seals, then its entries; what does not fit goes on in the next group, and no segment
        is opened meanwhile, since rows of these vchannels wait."""
        for vchannel in work.vchannels:
            for segment in self._segments.sealed_by(vchannel, work.ddl):
                if self._left(built, stamps) < 1:
                    return
                self._seal(built, stamps, segment)
        if self._left(built, stamps) < len(work.vchannels):
            return
        schema = codec.encode(work.ddl.schema)
        entries: list[Ddl] = []
        for vchannel in work.vchannels:
            entry = Ddl(
                vchannel=vchannel,
                timestamp=stamps.take(),
                collection_id=work.ddl.collection_id,
                version=work.ddl.version,
                kind=work.ddl.kind,
                schema=schema,
                partition_id=work.ddl.partition_id,
            )
            self._add(built, entry, SEAL_BYTES + len(schema))
            self._segments.end(vchannel, work.ddl)
            entries.append(entry)
        built.ddls.append((work, entries))

    def _add_seals(self, built: Built, stamps: Stamps, ask: SealWork) -> None:
        """Above what was asked: the next timestamps, or those of a later grant."""
        for segment in self._segments.of_collection(ask.collection_id, ask.only):
            if not self._room(built, stamps, SEAL_BYTES) or not stamps.has_above(ask.above):
                return
            self._seal(built, stamps, segment, ask.above)
            ask.sealed.append(segment.id)
        last = built.entries[-1].timestamp if built.entries else 0
        if last <= ask.above:
            if not self._room(built, stamps, SEAL_BYTES) or not stamps.has_above(ask.above):
                return
            self._add(built, Tick(stamps.take(ask.above)), SEAL_BYTES)
        built.seals.append(ask)

    def _seal(self, built: Built, stamps: Stamps, segment: OpenSegment, above: int = 0) -> None:
        entry = Seal(segment.vchannel, stamps.take(above), segment.id)
        self._segments.close(segment)
        self._add(built, entry, SEAL_BYTES)

    # ---- rows ----------------------------------------------------------------------------------

    def _add_rows(self, built: Built, turned: Turned, stamps: Stamps, now: float) -> None:
        for part in self._queue.ready():
            if not self._grants.covers(part.need):
                return
            if self._versions.judge(part.request) is not Verdict.READY:
                turned.to_park.append(part)
            elif part.request.first_sent > stamps.peek() + self._lead:
                turned.ahead.append(part)
            elif not self._fits(built, stamps, part) or not self._add_part(
                built, stamps, part, now
            ):
                return

    def _fits(self, built: Built, stamps: Stamps, part: Part) -> bool:
        """Whether the part fits, and a Seal behind it."""
        return self._left(built, stamps) >= 2 and self._room(built, stamps, part.size_bytes)

    def _add_part(self, built: Built, stamps: Stamps, part: Part, now: float) -> bool:
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
            timestamp=stamps.take(),
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
            self._seal(built, stamps, full)
        return True

    # ---- limits --------------------------------------------------------------------------------

    def _add(self, built: Built, entry: Entry, size_bytes: int) -> None:
        built.entries.append(entry)
        built.size_bytes += size_bytes

    def _left(self, built: Built, stamps: Stamps) -> int:
        """How many entries still fit."""
        return min(stamps.left, self._settings.group_entries_max - len(built.entries))

    def _room(self, built: Built, stamps: Stamps, size_bytes: int) -> bool:
        """Whether an entry of that size fits; the first of a group always does."""
        if self._left(built, stamps) < 1:
            return False
        return not built.entries or (
            built.size_bytes + size_bytes <= self._settings.group_bytes_max
        )
