"""Truncate: how much of each pchannel's log is needed no more.

A message may go when it lies below every checkpoint of its pchannel's vchannels and when all
request ids in it are out of the window. The mark is written first, comparing the list: a vchannel
that enters it meanwhile makes the write fail, one that enters later finds the mark. "Now" is a
timestamp of the master service, never a clock of ours.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from headrace.frame.leader_store import LeaderStore
from headrace.log.api import Log
from headrace.meta.api import ModRevisionIs, Put
from headrace.meta.keys import Keys
from headrace.meta.records import CheckpointRecord, PChannelRecord, SegmentRecord
from headrace.model import codec
from headrace.model.channel import PChannel, Position, VChannel
from headrace.model.ids import MessageId
from headrace.model.timestamp import Timestamp, compose, physical_ms

_SAMPLES_MOST = 2_000  # a pchannel; at most one a second is kept
_SPACING_MS = 1_000


@dataclass(slots=True)
class Samples:
    """Positions of one pchannel, in order. Of each: all messages below its id have timestamps at
    or below its own."""

    points: list[tuple[Timestamp, MessageId]] = field(default_factory=list)

    def add(self, positions: Iterable[Position]) -> None:
        """Take positions over, leaving out what stands too close to its neighbour."""
        merged = sorted({*self.points, *((p.timestamp, p.message_id) for p in positions)})
        kept: list[tuple[Timestamp, MessageId]] = []
        for point in merged:
            if not kept or physical_ms(point[0]) - physical_ms(kept[-1][0]) >= _SPACING_MS:
                kept.append(point)
        self.points = kept[-_SAMPLES_MOST:]

    def at(self, timestamp: Timestamp) -> MessageId:
        """A message id below which no message is younger than this; 1 when none is known."""
        return max((m for t, m in self.points if t <= timestamp), default=1)

    def forget_below(self, message_id: MessageId) -> None:
        self.points = [p for p in self.points if p[1] >= message_id]


class Truncation:
    """The samples of one leadership, and the rounds."""

    def __init__(self, meta: LeaderStore, keys: Keys, log: Log, window_s: float) -> None:
        self._meta = meta
        self._keys = keys
        self._log = log
        self._window_ms = round(window_s * 1000)
        self._samples: dict[PChannel, Samples] = {}
        self._seeded: set[VChannel] = set()
        self._truncated: dict[PChannel, MessageId] = {}

    def sample(self, positions: Iterable[Position]) -> None:
        """Positions that were seen, of any pchannel."""
        for position in positions:
            self._samples.setdefault(position.pchannel, Samples()).add([position])

    async def round(self, now: Timestamp) -> dict[PChannel, MessageId]:
        """Truncate all pchannels as far as they may be; the new marks.

        `now` is a timestamp of the master service. `Unavailable`, `NotLeading`.
        """
        found = await self._meta.store.range(self._keys.pchannels_prefix)
        channels = await self._meta.store.range(self._keys.channels_prefix)
        checkpoints = {
            item.key: codec.decode(item.value, CheckpointRecord, item.key)
            for item in channels.items
            if item.key.endswith("/checkpoint")
        }
        self.sample(c.position for c in checkpoints.values())
        marks: dict[PChannel, MessageId] = {}
        for item in found.items:
            pchannel = item.key.removeprefix(self._keys.pchannels_prefix)
            record = codec.decode(item.value, PChannelRecord, item.key)
            held = [checkpoints.get(self._keys.checkpoint(v)) for v in record.vchannels]
            there = [c for c in held if c is not None]
            if len(there) < len(held):
                continue  # a vchannel without a checkpoint: its collection is being made or cleared
            await self._seed(record.vchannels)
            samples = self._samples.setdefault(pchannel, Samples())
            mark = below(record, there, samples, now, self._window_ms)
            if mark > record.truncation_mark:
                value = codec.encode(replace(record, truncation_mark=mark))
                compare = [ModRevisionIs(item.key, item.mod_revision)]
                if await self._meta.txn(compare, [Put(item.key, value)]) is None:
                    continue  # the list has changed: next round
                marks[pchannel] = mark
            if self._truncated.get(pchannel, 1) < mark:
                await self._log.truncate(pchannel, mark)
                self._truncated[pchannel] = mark
                samples.forget_below(mark)
        return marks

    async def _seed(self, vchannels: Sequence[VChannel]) -> None:
        """A new leader knows no positions: those of segments tell where the log stood before."""
        for vchannel in vchannels:
            if vchannel in self._seeded:
                continue
            found = await self._meta.store.range(self._keys.segments_prefix(vchannel))
            records = [codec.decode(i.value, SegmentRecord, i.key) for i in found.items]
            self.sample(p for r in records for p in (r.start, r.checkpoint))
            self._seeded.add(vchannel)


def below(
    record: PChannelRecord,
    checkpoints: Iterable[CheckpointRecord],
    samples: Samples,
    now: Timestamp,
    window_ms: int,
) -> MessageId:
    """The truncate mark that a pchannel may have now, not below the one that it has."""
    window = samples.at(compose(max(0, physical_ms(now) - window_ms)))
    pinned = [c.position.message_id for c in checkpoints if not c.dropped]
    # DL-1: truncate stays below every checkpoint, and below the window; the mark never falls
    return max(record.truncation_mark, min((window, *pinned)))
