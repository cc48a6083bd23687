"""How much of the log may go."""

from support.world.dataservice import World, play, watched
from support.world.facts import position, report, segment_report, stamp

from headrace.dataservice.maintenance.truncate import Samples, below
from headrace.dataservice.settings import DataServiceSettings
from headrace.meta.api import Put
from headrace.meta.records import CheckpointRecord, PChannelRecord
from headrace.model import codec
from headrace.model.timestamp import compose
from headrace.rpc.messages import CheckpointMove, SaveCheckpointsRequest


def samples(*numbers: int) -> Samples:
    made = Samples()
    made.add(position("p-0", n) for n in numbers)
    return made


def checkpoint(number: int, *, dropped: bool = False) -> CheckpointRecord:
    return CheckpointRecord(
        position=position("p-0", number), start=position("p-0", 1), dropped=dropped
    )


def test_the_window_is_measured_by_timestamps_of_messages() -> None:
    known = samples(10, 500, 1000)
    assert known.at(stamp(9)) == 1
    assert known.at(stamp(10)) == 10
    assert known.at(stamp(999)) == 500


def test_samples_stand_a_second_apart() -> None:
    known = samples(10)
    near = position("p-0", 11)
    known.add([position("p-0", 10), type(near)("p-0", 11, compose(1_700_000_010_500))])
    assert known.points == [(stamp(10), 10)]


def test_nothing_goes_above_a_checkpoint_or_inside_the_window() -> None:
    record = PChannelRecord(vchannels=("a", "b"), truncation_mark=1)
    known = samples(*range(10, 2000, 10))
    window = 600_000

    def mark(now: int, *checkpoints: CheckpointRecord) -> int:
        return below(record, checkpoints, known, stamp(now), window)

    assert mark(2000, checkpoint(1990), checkpoint(300)) == 300
    assert mark(2000, checkpoint(1990), checkpoint(1995)) == 1400
    assert mark(500, checkpoint(1990)) == 1
    assert mark(2000, checkpoint(1990), checkpoint(300, dropped=True)) == 1400
    assert mark(2000) == 1400


def test_the_mark_never_falls() -> None:
    record = PChannelRecord(vchannels=("a",), truncation_mark=50)
    assert below(record, [checkpoint(60)], Samples(), stamp(9999), 1) == 50


def test_a_log_is_trimmed_behind_the_checkpoints_and_the_mark_stands_first() -> None:
    async def scene(world: World) -> None:
        log = world.log.client()
        await log.ensure("p-0")
        for n in range(3000):
            await log.append("p-0", [b"m"], n)
        await world.add_node(1)
        (a,) = world.create(1)
        await watched(world, [a])
        at = 1
        for n in (100, 1000, 2000):
            move = CheckpointMove(
                vchannel=a, epoch=1, extends=position(a, at), checkpoint=position(a, n)
            )
            await world.ask(SaveCheckpointsRequest(1, (move,)))
            at = n
            await world.clock.sleep(20.0)
        assert await log.first("p-0") == 1
        world.master.now = stamp(2000)
        await world.clock.sleep(20.0)
        assert await log.first("p-0") == 1000
        found = world.store.read(world.keys.pchannel("p-0"), False, 0).first
        assert found is not None
        assert codec.decode(found.value, PChannelRecord).truncation_mark == 1000
        await world.ask(report(a, 1, (2000, 2900), dropped=True))
        world.master.now = stamp(9999)
        await world.clock.sleep(20.0)
        assert await log.first("p-0") == 2900
        # Its checkpoint lies below the mark (the master service would not let it in).
        world.create(1, collection_id=9)
        await world.clock.sleep(20.0)
        assert await log.first("p-0") == 2900

    play(scene, DataServiceSettings(settle_s=0.1, window_s=600.0, truncate_interval_s=5.0))


def test_a_mark_whose_truncate_was_not_done_is_trimmed_by_the_next_leader() -> None:
    async def scene(world: World) -> None:
        log = world.log.client()
        await log.ensure("p-0")
        for n in range(100):
            await log.append("p-0", [b"m"], n)
        (a,) = world.create(1)
        found = world.store.read(world.keys.pchannel("p-0"), False, 0).first
        assert found is not None
        record = PChannelRecord(vchannels=(a,), truncation_mark=40)
        world.store.txn([], [Put(world.keys.pchannel("p-0"), codec.encode(record))])
        await world.clock.sleep(20.0)
        assert await log.first("p-0") == 40

    play(scene, DataServiceSettings(settle_s=0.1, truncate_interval_s=5.0))


def test_the_positions_of_segments_tell_a_new_leader_where_the_log_stood() -> None:
    async def scene(world: World) -> None:
        log = world.log.client()
        await log.ensure("p-0")
        for n in range(3000):
            await log.append("p-0", [b"m"], n)
        await world.add_node(1)
        (a,) = world.create(1)
        await watched(world, [a])
        await world.ask(report(a, 1, (1, 1000), segment_report(a, 11, 1, 1, (None, 1000))))
        await world.ask(report(a, 1, (1000, 2900), segment_report(a, 12, 1, 2, (None, 2900))))
        second = await world.start("standby")
        await world.kill("data-service")
        await world.until(lambda: second.leads)
        world.master.now = stamp(2000)
        await world.clock.sleep(20.0)
        assert await log.first("p-0") == 1000

    play(scene, DataServiceSettings(settle_s=0.1, truncate_interval_s=5.0))
