"""The ids of requests that stand in the log, kept as long as a repeat may come.

Two spans: ids with a client's key are kept longer than others. An id is kept by when its request
was *first sent*, a number that its entries carry; entries satisfy `first_sent <= timestamp + lead`,
so a reader that goes through the log backwards can stop at a message whose timestamp is `lead`
below the floor. Values are packed: a million ids cost about 230 MB.
"""

import heapq
import struct
from collections.abc import Iterable

from headrace.model.entry import DigestItem, Entry, PartId, Rows
from headrace.model.ids import MessageId
from headrace.model.timestamp import Timestamp, compose, physical_ms
from headrace.sequencer.settings import SequencerSettings

_PACKED = struct.Struct("<QQIB")  # first_sent, message id, index, keyed; the fingerprint follows
_BUCKET_MS = 1000


def span(seconds: int) -> Timestamp:
    """So many seconds as a difference of timestamps."""
    return compose(seconds * 1000)


def floor_of(last: Timestamp, seconds: int) -> Timestamp:
    """The floor of a window of `seconds` that ends at `last`; 0 keeps everything."""
    return max(0, last - span(seconds))


def items_of(message_id: MessageId, entries: Iterable[Entry]) -> list[DigestItem]:
    """The ids of a message's entries and their places."""
    return [
        DigestItem(e.part_id, e.fingerprint, e.first_sent, message_id, index, e.keyed)
        for index, e in enumerate(entries)
        if isinstance(e, Rows)
    ]


class Window:
    """The ids of one pchannel, as its sequencer knows them."""

    def __init__(self, settings: SequencerSettings, floor: Timestamp = 0) -> None:
        self._ids_max = settings.window_ids_max
        self._seconds = {True: settings.window_keyed_s, False: settings.window_other_s}
        self._floors = {True: floor, False: floor}
        self._packed: dict[PartId, bytes] = {}
        self._buckets: dict[tuple[bool, int], list[PartId]] = {}
        self._oldest: dict[bool, list[int]] = {True: [], False: []}  # heaps of bucket numbers

    def __len__(self) -> int:
        return len(self._packed)

    @property
    def full(self) -> bool:
        """Whether further keyed requests have to wait."""
        return len(self._packed) >= self._ids_max

    def floor(self, keyed: bool) -> Timestamp:
        """Every id of that kind whose request was first sent above this timestamp is kept here. It
        never falls."""
        return self._floors[keyed]

    def find(self, part_id: PartId) -> DigestItem | None:
        """Where the first result of a request's part stands."""
        packed = self._packed.get(part_id)
        if packed is None:
            return None
        first_sent, message_id, index, keyed = _PACKED.unpack_from(packed)
        return DigestItem(
            part_id, packed[_PACKED.size :], first_sent, message_id, index, bool(keyed)
        )

    def add(self, item: DigestItem) -> None:
        """An id stands."""
        # RQ-1: an id is forgotten by when it was first sent, not by when it was appended
        if item.first_sent <= self._floors[item.keyed]:
            return
        self._packed[item.part_id] = (
            _PACKED.pack(item.first_sent, item.message_id, item.index, item.keyed)
            + item.fingerprint
        )
        number = physical_ms(item.first_sent) // _BUCKET_MS
        bucket = self._buckets.get((item.keyed, number))
        if bucket is None:
            bucket = self._buckets[item.keyed, number] = []
            heapq.heappush(self._oldest[item.keyed], number)
        bucket.append(item.part_id)

    def advance(self, last: Timestamp) -> None:
        """The last timestamp of the log is `last`: floors rise, ids below them are forgotten."""
        for keyed, seconds in self._seconds.items():
            floor = max(self._floors[keyed], floor_of(last, seconds))
            self._floors[keyed] = floor
            oldest = self._oldest[keyed]
            while oldest and compose((oldest[0] + 1) * _BUCKET_MS) <= floor:
                for part_id in self._buckets.pop((keyed, heapq.heappop(oldest))):
                    self._packed.pop(part_id, None)
