"""Checkers: every invariant of the protocol, looked at from outside, at every revision of meta.

A checker reads the in-memory servers directly, without faults and without any client, so it sees
what is, not what is answered. It compares what meta and the object store say with what the log says
(`sim.oracle`).

How each id is checked: SQ-1, TT-1, ID-1, RQ-1 on the log; CH-1, CP-1, CP-2, SG-1, SG-2, SC-1 on
each change of meta in order; OB-1 after each look; SN-1 on each manifest; DL-1 and DL-2 by content.
"""

from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from headrace.binlog import delta_log, insert_log, manifest
from headrace.binlog.paths import DATA_PREFIXES
from headrace.log.memory import MemoryLogServer
from headrace.meta.api import DeleteEvent, PutEvent
from headrace.meta.keys import Keys
from headrace.meta.memory import MemoryMetaServer
from headrace.meta.records import BundleRecord, CheckpointRecord, EpochRecord, SegmentRecord
from headrace.model import codec
from headrace.model.channel import VChannel, parse_vchannel
from headrace.model.schema import TIMESTAMP_COLUMN
from headrace.model.segment import FileRef, SegmentState, may_become
from headrace.model.timestamp import Timestamp
from headrace.objects.memory import MemoryBucket
from headrace.sim.oracle import ChannelTruth, LoggedDelete, Row, Truth, Violation, by_key


class Checkers:
    """Looks at a simulated cluster's durable state; raises `Violation`."""

    def __init__(
        self, keys: Keys, meta: MemoryMetaServer, log: MemoryLogServer, objects: MemoryBucket
    ) -> None:
        self._keys = keys
        self._meta = meta
        self._log = log
        self._objects = objects
        self._next_revision = 1
        self._mirror: dict[str, bytes] = {}
        self.truths: dict[str, Truth] = {}
        self._row_files: dict[str, list[tuple[int, Timestamp, Any, Any]]] = {}
        self._delta_files: dict[str, list[LoggedDelete]] = {}
        self._lists_seen: set[str] = set()
        self._committed: dict[str, None] = {}  # every insert log that meta ever named
        self._contents: dict[str, bytes] = {}  # digest of the first put of each data file's key
        self._overwritten: list[str] = []
        objects.on_put = self._put

    # ---- looking ---------------------------------------------------------------------------------

    def look(self) -> None:
        """Check all that happened since the last look."""
        for pchannel in self._log.pchannels():
            truth = self.truths.setdefault(pchannel, Truth())
            truth.read(pchannel, self._log.messages(pchannel))
        batches, self._next_revision = self._meta.changes(
            self._keys.everything, self._next_revision
        )
        for batch in batches:
            before = {}
            for event in batch.events:
                key = event.item.key if isinstance(event, PutEvent) else event.key
                before[key] = self._mirror.get(key)
                if isinstance(event, DeleteEvent):
                    self._mirror.pop(key, None)
                else:
                    self._mirror[key] = event.item.value
            for key, old in before.items():
                self._changed(key, old, self._mirror.get(key))
        self._check_objects()
        self._check_lists()

    def channel(self, vchannel: VChannel) -> ChannelTruth:
        """What the log says of a vchannel."""
        truth = self.truths.get(parse_vchannel(vchannel).pchannel)
        return truth.channels.get(vchannel, ChannelTruth()) if truth else ChannelTruth()

    def _changed(self, key: str, old: bytes | None, new: bytes | None) -> None:
        parts = key.removeprefix(self._keys.everything).split("/")
        if parts[0] == "channel" and parts[2] == "checkpoint":
            self._checkpoint_changed(parts[1], old, new)
        elif parts[0] == "channel" and parts[2] == "epoch":
            self._epoch_changed(parts[1], old, new)
        elif parts[0] == "segment":
            self._segment_changed(parts[1], old, new)
        elif parts[0] == "delta" and old is None and new is not None:
            self._of_present_epoch(parts[1], [codec.decode(new, FileRef, key)])

    # ---- meta ------------------------------------------------------------------------------------

    def _checkpoint_changed(self, vchannel: str, old: bytes | None, new: bytes | None) -> None:
        if new is None:
            return
        record = codec.decode(new, CheckpointRecord, vchannel)
        if old is not None:
            before = codec.decode(old, CheckpointRecord, vchannel)
            if record.position.timestamp < before.position.timestamp:
                raise Violation(f"CP-1 {vchannel}: {before.position} -> {record.position}")
        if not record.dropped:
            self._check_stored(vchannel, record.position.timestamp)

    def _check_stored(self, vchannel: str, at: Timestamp) -> None:
        """CP-2: all at or below the checkpoint is in files that meta names, once."""
        channel = self.channel(vchannel)
        if channel.drop is not None and channel.drop <= at:
            return
        gone = {p for p, when in channel.dropped_partitions.items() if when <= at}
        found: Counter[int] = Counter()
        states: dict[int, SegmentState] = {}
        for segment in self.segments(vchannel):
            states[segment.id] = segment.state
            if segment.state is not SegmentState.DROPPED:
                for file in segment.files:
                    found.update(r[0] for r in self._rows_in(file.key) if r[1] <= at)
        for row in channel.rows:
            if row.timestamp > at:
                break
            count = found.pop(row.row_id, 0)
            if count == 0 and not (gone and states.get(row.segment_id) in (None, "dropped")):
                raise Violation(f"CP-2 {vchannel}: checkpoint {at} passed row {row}, not stored")
            if count > 1:
                raise Violation(f"DL-1 {vchannel}: row {row} is stored {count} times")
        if found:
            raise Violation(f"DL-1 {vchannel}: rows {sorted(found)[:5]} never stood in the log")
        self._check_deletes_stored(vchannel, channel, at)
        starts = [t for t in self.truths[parse_vchannel(vchannel).pchannel].term_starts if t <= at]
        sealed = {s for t, s in channel.seals if t <= at}
        if starts:
            sealed |= {r.segment_id for r in channel.rows if r.timestamp < starts[-1]}
        for segment_id in sorted(sealed):
            if states.get(segment_id) is SegmentState.GROWING:
                raise Violation(
                    f"CP-2 {vchannel}: checkpoint {at} passed the seal of segment {segment_id}, "
                    "which is not flushed"
                )

    def _check_deletes_stored(self, vchannel: str, channel: ChannelTruth, at: Timestamp) -> None:
        wanted = Counter(d for d in channel.deletes if d.timestamp <= at)
        prefix = self._keys.deltas_prefix(vchannel)
        found: Counter[LoggedDelete] = Counter()
        for key in sorted(k for k in self._mirror if k.startswith(prefix)):
            file = codec.decode(self._mirror[key], FileRef, key)
            found.update(d for d in self._deletes_in(file.key) if d.timestamp <= at)
        if set(wanted) - set(found):
            missing = sorted(set(wanted) - set(found))[:3]
            raise Violation(f"CP-2 {vchannel}: checkpoint {at} passed deletes {missing}")

    def _epoch_changed(self, vchannel: str, old: bytes | None, new: bytes | None) -> None:
        if old is None or new is None:
            return
        before = codec.decode(old, EpochRecord, vchannel)
        after = codec.decode(new, EpochRecord, vchannel)
        if after.epoch < before.epoch or (
            after.epoch == before.epoch and after.server_id != before.server_id
        ):
            raise Violation(f"CH-1 {vchannel}: epoch {before} became {after}")

    def _of_present_epoch(self, vchannel: str, files: list[FileRef]) -> None:
        record = self._mirror.get(self._keys.epoch(vchannel))
        present = codec.decode(record, EpochRecord, vchannel).epoch if record else 0
        for file in files:
            if file.epoch != present:
                raise Violation(
                    f"CH-1 {vchannel}: {file.key} of epoch {file.epoch} was committed in "
                    f"epoch {present}"
                )

    def _segment_changed(self, vchannel: str, old: bytes | None, new: bytes | None) -> None:
        if new is None:
            return
        after = codec.decode(new, SegmentRecord, vchannel)
        before = codec.decode(old, SegmentRecord, vchannel) if old else None
        # A segment comes back out of a bundle with its files; those were committed before.
        fresh = [f for f in after.files if f.key not in self._committed]
        if fresh:
            self._of_present_epoch(vchannel, fresh)
            self._committed.update(dict.fromkeys(f.key for f in fresh))
        if before is not None and not may_become(before.state, after.state):
            raise Violation(f"SG-1 segment {after.id}: {before.state} -> {after.state}")
        if before is not None and before.state is not SegmentState.GROWING and fresh:
            raise Violation(f"SG-1 segment {after.id} is {before.state} and gains {fresh}")
        if after.state is SegmentState.FLUSHED and (
            before is None or before.state is SegmentState.GROWING
        ):
            self._check_flushed(vchannel, after)

    def _check_flushed(self, vchannel: str, segment: SegmentRecord) -> None:
        given = [r for r in self.channel(vchannel).rows if r.segment_id == segment.id]
        stored = Counter(r[0] for f in segment.files for r in self._rows_in(f.key))
        if stored != Counter(r.row_id for r in given):
            raise Violation(
                f"SG-2 segment {segment.id} was flushed with {sum(stored.values())} rows, the log "
                f"gave it {len(given)}"
            )
        versions = {r.version for r in given}
        if versions - {segment.version}:
            raise Violation(f"SC-1 segment {segment.id} of version {segment.version}: {versions}")

    def segments(self, vchannel: str) -> Iterator[SegmentRecord]:
        """The segments of a vchannel that meta names."""
        own, bundled = self._keys.segments_prefix(vchannel), self._keys.bundles_prefix(vchannel)
        for key, value in sorted(self._mirror.items()):
            if key.startswith(own):
                yield codec.decode(value, SegmentRecord, key)
            elif key.startswith(bundled):
                yield from codec.decode(value, BundleRecord, key).segments

    def vchannels(self) -> list[str]:
        """All that meta knows."""
        prefix = self._keys.channels_prefix
        return sorted(
            {k.removeprefix(prefix).split("/")[0] for k in self._mirror if k.startswith(prefix)}
        )

    def record(self, key: str) -> bytes | None:
        return self._mirror.get(key)

    # ---- objects and lists -------------------------------------------------------------------

    def _require(self, key: str, by: str) -> None:
        if not any(info.key == key for info in self._objects.list(key)):
            raise Violation(f"OB-1 {by} names {key}, which is missing")

    def _put(self, key: str, data: bytes) -> None:
        """A put has arrived, whatever becomes of it: on S3 a large one would have its way."""
        if key.startswith(DATA_PREFIXES):
            digest = sha256(data).digest()
            if self._contents.setdefault(key, digest) != digest:
                self._overwritten.append(key)

    def _check_objects(self) -> None:
        """OB-1 for meta as it is now."""
        if self._overwritten:
            raise Violation(f"OB-1 other bytes were put under {self._overwritten[0]}")
        for vchannel in self.vchannels():
            value = self._mirror.get(self._keys.checkpoint(vchannel))
            if value and codec.decode(value, CheckpointRecord, vchannel).dropped:
                continue
            for segment in self.segments(vchannel):
                if segment.state is not SegmentState.DROPPED:
                    for file in segment.files:
                        self._require(file.key, "meta")
            prefix = self._keys.deltas_prefix(vchannel)
            for key in [k for k in self._mirror if k.startswith(prefix)]:
                self._require(codec.decode(self._mirror[key], FileRef, key).key, "meta")

    def _check_lists(self) -> None:
        newest: dict[str, str] = {}
        for info in self._objects.list("manifests/"):
            newest[info.key.rsplit("/", 1)[0]] = info.key
        for key in newest.values():
            found = codec.decode(self._objects.get(key), manifest.Manifest, key)
            segments = list(found.segments)
            for bundle in found.bundles:
                self._require(bundle, f"list {key}")
                segments += codec.decode(self._objects.get(bundle), manifest.Bundle).segments
            files = [(f, s.partition_id) for s in segments for f in s.files]
            for file in [*(f for f, _ in files), *found.deltas]:
                self._require(file.key, f"list {key}")
            if key not in self._lists_seen:
                self._lists_seen.add(key)
                self._check_snapshot(key, found, files)

    def _check_snapshot(
        self, key: str, found: manifest.Manifest, files: list[tuple[FileRef, int]]
    ) -> None:
        """SN-1: the rows that a reader would show are those of the log."""
        at, collection_id = found.timestamp, found.collection_id
        wanted: dict[int, Row] = {}
        for truth in self.truths.values():
            for vchannel, channel in truth.channels.items():
                if parse_vchannel(vchannel).collection_id == collection_id:
                    if channel.drop is not None and channel.drop <= at:
                        return
                    wanted.update(channel.live(at))
        deletes = by_key(
            d for f in found.deltas for d in self._deletes_in(f.key) if d.timestamp <= at
        )
        shown: Counter[int] = Counter()
        for file, partition_id in files:
            if partition_id not in found.partitions:
                continue
            for row_id, timestamp, row_key, _ in self._rows_in(file.key):
                hidden = any(d.hides(timestamp, partition_id) for d in deletes.get(row_key, ()))
                if timestamp <= at and not hidden:
                    shown[row_id] += 1
        if shown != Counter(wanted.keys()):
            lost = sorted(set(wanted) - set(shown))[:3]
            more = sorted(set(shown) - set(wanted))[:3]
            doubled = [r for r, n in shown.items() if n > 1][:3]
            raise Violation(
                f"SN-1 list {key} at {at}: lost {[wanted[r] for r in lost]}, surplus {more}, "
                f"doubled {doubled}"
            )

    def check_flushes(self, flushes: list[tuple[int, Timestamp]]) -> None:
        """A flush that was reported done is covered by a list at or above its timestamp."""
        dropped = {
            parse_vchannel(vchannel).collection_id
            for truth in self.truths.values()
            for vchannel, channel in truth.channels.items()
            if channel.drop is not None
        }
        for collection_id, at in flushes:
            if collection_id in dropped:
                continue  # there is nothing left to wait for
            infos = self._objects.list(f"manifests/{collection_id}/")
            newest = codec.decode(self._objects.get(infos[-1].key), manifest.Manifest)
            if newest.timestamp < at:
                raise Violation(f"SN-1 flush at {at} of {collection_id}: list {newest.timestamp}")

    # ---- files -----------------------------------------------------------------------------------

    def _rows_in(self, key: str) -> list[tuple[int, Timestamp, Any, Any]]:
        if key not in self._row_files:
            self._require(key, "meta")
            table = insert_log.read(self._objects.get(key))
            names = table.column_names
            columns = [table.column(n).to_pylist() for n in ("_row_id", "_timestamp", 0)]
            values = table.column("value").to_pylist() if "value" in names else [None] * len(table)
            self._row_files[key] = list(zip(*columns, values, strict=True))
        return self._row_files[key]

    def _deletes_in(self, key: str) -> list[LoggedDelete]:
        if key not in self._delta_files:
            self._require(key, "meta")
            table = delta_log.read(self._objects.get(key))
            names = (TIMESTAMP_COLUMN, "key", delta_log.PARTITION_COLUMN)
            columns = [table.column(n).to_pylist() for n in names]
            self._delta_files[key] = [LoggedDelete(*d) for d in zip(*columns, strict=True)]
        return self._delta_files[key]
