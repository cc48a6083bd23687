"""Which objects may go."""

import asyncio

from support.world.clock import ManualClock
from support.world.facts import COLLECTION, PARTITION, insert_file, position, stamp, vchannels_of

from headrace.binlog import paths
from headrace.binlog.manifest import Manifest, ManifestSegment
from headrace.dataservice.maintenance.garbage import (
    GONE,
    NO_EVIDENCE,
    Evidence,
    References,
    Round,
    epochs_of,
    outlived,
    read_evidence,
    references_of,
)
from headrace.dataservice.state.channel_state import Stored, VChannelState
from headrace.meta.keys import Keys
from headrace.meta.records import CheckpointRecord, EpochRecord, SegmentRecord
from headrace.model import codec
from headrace.model.segment import FileRef, SegmentState
from headrace.objects.api import ObjectInfo
from headrace.objects.memory import MemoryBucket, MemoryObjects

KEYS = Keys()
A, B = vchannels_of(COLLECTION, 2)
HOUR = 3_600_000


def info(file: FileRef, modified_ms: int = 0) -> ObjectInfo:
    return ObjectInfo(file.key, 100, modified_ms)


def file(segment_id: int, epoch: int) -> FileRef:
    return insert_file(A, segment_id, epoch, 1, 5)


def deciding(
    references: References,
    evidence: Evidence = NO_EVIDENCE,
    *,
    now_ms: int = 2 * HOUR,
    **epochs: int,
) -> Round:
    return Round(
        epochs={A: epochs.get("a", 5), B: epochs.get("b", 5)},
        references=references,
        evidence=evidence,
        now_ms=now_ms,
        grace_ms=HOUR,
    )


def test_what_meta_names_stays() -> None:
    kept = file(1, 1)
    assert not deciding(References(frozenset({kept.key}))).may_go(info(kept))


def test_what_a_replaced_writer_left_goes_after_the_grace() -> None:
    left = file(1, 4)
    home = References(frozenset(), homes={1: A})
    assert deciding(home).may_go(info(left))
    assert not deciding(home).may_go(info(left, modified_ms=HOUR + 1))


def test_the_present_epoch_is_spared() -> None:
    assert not deciding(References(frozenset(), homes={1: A})).may_go(info(file(1, 5)))


def test_a_segment_that_no_meta_knows_may_be_of_any_vchannel() -> None:
    unknown = References(frozenset())
    assert not deciding(unknown, a=9, b=3).may_go(info(file(1, 4)))
    assert deciding(unknown, a=9, b=5).may_go(info(file(1, 4)))


def test_statistics_and_deletes_go_with_their_epoch() -> None:
    stats = ObjectInfo(paths.stats_key(file(1, 4).key), 1, 0)
    delta = ObjectInfo(paths.delta_key(COLLECTION, B, 4, 1), 1, 0)
    assert deciding(References(frozenset(), homes={1: A})).may_go(stats)
    assert deciding(References(frozenset()), a=1).may_go(delta)
    assert not deciding(References(frozenset()), b=4).may_go(delta)


def test_what_is_not_ours_stays() -> None:
    strange = ObjectInfo(f"insert/{COLLECTION}/readme.txt", 1, 0)
    assert not deciding(References(frozenset()), a=99, b=99).may_go(strange)


def test_a_dropped_segments_file_goes_when_a_list_without_it_is_old_enough() -> None:
    gone = file(1, 5)  # of the present epoch
    left = References(frozenset(), {gone.key: 40}, {1: A})
    assert not deciding(left, NO_EVIDENCE).may_go(info(gone))
    assert not deciding(left, Evidence(39, frozenset())).may_go(info(gone))
    assert not deciding(left, Evidence(40, frozenset({gone.key}))).may_go(info(gone))
    assert deciding(left, Evidence(40, frozenset())).may_go(info(gone))


def test_a_drop_that_is_not_written_down_yet_is_waited_for() -> None:
    gone = file(1, 5)
    left = References(frozenset(), {gone.key: None}, {1: A})
    assert not deciding(left, Evidence(99, frozenset())).may_go(info(gone))


def test_a_bundle_goes_when_a_later_list_lacks_it() -> None:
    bundle = ObjectInfo(paths.bundle_key(COLLECTION, A, "1-2-3"), 1, 0)
    none = References(frozenset())
    assert not deciding(none, Evidence(39, frozenset())).bundle_may_go(bundle, 40)
    assert deciding(none, Evidence(40, frozenset())).bundle_may_go(bundle, 40)
    named = References(frozenset({bundle.key}))
    assert not deciding(named, Evidence(40, frozenset())).bundle_may_go(bundle, 40)


def test_a_list_goes_when_its_successor_is_old_enough() -> None:
    lists = [ObjectInfo(paths.manifest_key(COLLECTION, n), 1, n * HOUR) for n in range(1, 5)]
    assert outlived(lists, 4 * HOUR, HOUR) == [lists[0].key, lists[1].key]
    assert outlived(lists[:1], 99 * HOUR, HOUR) == []


def test_the_evidence_is_the_newest_list_that_is_old_enough() -> None:
    async def scene() -> None:
        clock = ManualClock(wall_ms=0)
        objects = MemoryObjects(MemoryBucket(clock))
        for revision in (5, 6, 7):
            listed = ManifestSegment(
                id=revision,
                partition_id=PARTITION,
                vchannel=A,
                version=1,
                state=SegmentState.FLUSHED,
                rows=1,
                files=(file(revision, 1),),
            )
            made = Manifest(
                collection_id=COLLECTION,
                name="c",
                revision=revision,
                timestamp=stamp(1),
                version=1,
                schemas={},
                partitions={},
                segments=(listed,),
            )
            key = paths.manifest_key(COLLECTION, revision)
            await objects.put(key, [codec.encode(made)])
            await clock.advance(3600)
        lists = await objects.list(paths.manifests_prefix(COLLECTION))
        found = await read_evidence(objects, lists, clock.wall_ms() - 1, HOUR)
        assert found.revision == 6
        assert found.names == {file(6, 1).key, file(6, 1).stats_key}
        assert await read_evidence(objects, lists, HOUR - 1, HOUR) == NO_EVIDENCE

    asyncio.run(scene())


def test_references_tell_live_files_from_those_that_left_and_when() -> None:
    def record(segment_id: int, state: SegmentState) -> SegmentRecord:
        return SegmentRecord(
            id=segment_id,
            collection_id=COLLECTION,
            partition_id=PARTITION + segment_id,
            vchannel=A,
            version=1,
            state=state,
            rows=1,
            start=position(A, 1),
            checkpoint=position(A, 5),
            files=(file(segment_id, 1),),
        )

    records = [record(1, SegmentState.FLUSHED), record(2, SegmentState.DROPPED)]
    records.append(record(3, SegmentState.FLUSHED))
    checkpoint = CheckpointRecord(
        position=position(A, 9), start=position(A, 1), dropped_partitions=(PARTITION + 3,)
    )
    epoch = EpochRecord(epoch=4, server_id=0, ended=True)
    channel = VChannelState(
        vchannel=A,
        revision=90,
        epoch=Stored(KEYS.epoch(A), 80, epoch),
        checkpoint=Stored(KEYS.checkpoint(A), 81, checkpoint),
        segments={r.id: Stored(KEYS.segment(A, r.id), 70 + r.id, r) for r in records},
    )
    found = references_of([channel])
    assert file(1, 1).key in found.live and file(1, 1).stats_key in found.live
    assert found.left[file(2, 1).key] == 72
    assert found.left[file(3, 1).key] is None
    assert found.homes == {1: A, 2: A, 3: A}
    assert epochs_of([channel]) == {A: GONE}
