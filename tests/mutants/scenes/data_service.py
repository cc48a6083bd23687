"""Focused scenes of the data service: reports, watches, manifests and the collector.

Each is the shortest trace of the executable model (`model.store --mutant RULE`), played against
production's own parts over a meta store and a bucket in memory.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

from support.players.datanode import EntryMaker
from support.world.facts import COLLECTION, insert_file, report, segment_report, stamp

from headrace.binlog.manifest import Manifest
from headrace.datanode.consume.replay_filter import ReplayFilter
from headrace.dataservice.maintenance.collector import Collector
from headrace.dataservice.maintenance.garbage import names_of, references_of
from headrace.dataservice.manifests.manifest import Derived, derive, store
from headrace.dataservice.placement.watches import read_watch
from headrace.dataservice.reports.decision import Commit, decide
from headrace.meta.memory import MetaCall
from headrace.model.entry import Rows
from headrace.model.errors import Conflict
from headrace.model.invariants import violated
from mutants.scenes.parts import Scene

SEGMENT = 11


class Between:
    """Lets something happen once, on the way of the call that `when` names."""

    def __init__(
        self, when: Callable[[MetaCall], bool], work: Callable[[], Awaitable[object]]
    ) -> None:
        self._when = when
        self._work: Callable[[], Awaitable[object]] | None = work

    async def before(self, call: MetaCall) -> None:
        """See `CallHook`."""
        work = self._work
        if work is not None and self._when(call):
            self._work = None
            await work()

    async def after(self, call: MetaCall) -> None:
        """See `CallHook`."""


async def save_rows(scene: Scene, span: tuple[int | None, int], seek: tuple[int, int]) -> None:
    """Epoch 1 stores rows of the segment, unless they are there already, and reports them."""
    last = span[1]
    with suppress(Conflict):
        scene.world.put_files([insert_file(scene.vchannel, SEGMENT, 1, last, last)])
    part = segment_report(scene.vchannel, SEGMENT, 1, last, span)
    await scene.decide(report(scene.vchannel, 1, seek, part))


async def drop(scene: Scene, seek: tuple[int, int]) -> None:
    """Epoch 1 reports that the collection's drop is passed."""
    await scene.decide(report(scene.vchannel, 1, seek, dropped=True))


async def manifest_now(scene: Scene) -> Manifest:
    """What a leader reads for a manifest."""
    derived = await derive(scene.world.meta, scene.keys, COLLECTION, [scene.vchannel])
    assert isinstance(derived, Derived)
    return derived.manifest


async def collect(scene: Scene, hook: Between | None = None) -> None:
    """One round of the collector, when everything is older than the grace."""
    world = scene.world
    await world.clock.sleep(5.0)
    meta = scene.leader_store(hook)
    collector = Collector(meta, scene.keys, world.objects, world.clock, grace_s=1.0)
    await collector.collect(COLLECTION, [scene.vchannel])


async def check_objects(scene: Scene) -> None:
    """OB-1 as the model has it."""
    named = set(references_of([await scene.world.channel(scene.vchannel)]).live)
    highest = scene.world.listed()
    if highest is not None:
        named.update(names_of(f for s in highest.segments for f in s.files))
    missing = named - {info.key for info in scene.world.bucket.list("")}
    if missing:
        violated("OB-1", f"{min(missing)} is missing")


# ---- reports and watches -------------------------------------------------------------------------


def old_copy() -> Iterator[str]:
    """A copy of the first report arrives after the second was committed."""

    async def work(scene: Scene) -> None:
        await scene.assign(1)
        await save_rows(scene, (None, 5), (1, 5))
        await save_rows(scene, (5, 8), (5, 8))
        with suppress(Conflict):
            await save_rows(scene, (None, 5), (1, 5))
        reached = scene.world.checkpoint(scene.vchannel).position.timestamp
        if reached < stamp(8):
            violated("CP-1", f"{stamp(8)} -> {reached}")

    yield Scene().play(work)


def late_commit() -> Iterator[str]:
    """A commit of epoch 1 was decided; its transaction arrives when epoch 2 is written."""

    async def work(scene: Scene) -> None:
        await scene.assign(1)
        channel = await scene.world.channel(scene.vchannel)
        part = segment_report(scene.vchannel, SEGMENT, 1, 1, (None, 5))
        decided = decide(report(scene.vchannel, 1, (1, 5), part), channel, scene.keys)
        assert isinstance(decided, Commit)
        await scene.assign(2)
        if await scene.meta.txn(decided.compare, decided.operations) is not None:
            violated("CH-1", "epoch 1 has committed under epoch 2")

    yield Scene().play(work)


def flushed_above_the_seek() -> Iterator[str]:
    """A segment is flushed at 5, the channel checkpoint is still at 1, and epoch 2 replays."""

    async def work(scene: Scene) -> None:
        await scene.assign(1)
        part = segment_report(scene.vchannel, SEGMENT, 1, 1, (None, 5), flushed=True)
        await scene.decide(report(scene.vchannel, 1, (1, 1), part))
        await scene.assign(2)
        watch = await read_watch(scene.world.meta, scene.keys, scene.vchannel, 2)
        assert watch is not None
        rows = EntryMaker().make(f"rows a {SEGMENT} 3", stamp(4))
        assert isinstance(rows, Rows)
        if list(ReplayFilter(watch).new([rows])):
            violated("DL-1", f"rows of segment {SEGMENT} are stored and replayed")

    yield Scene().play(work)


# ---- manifests and garbage -----------------------------------------------------------------------


def report_between_reads() -> Iterator[str]:
    """Between the collector's reads epoch 1 reports a file, and epoch 2 is written."""

    async def work(scene: Scene) -> None:
        seen: list[MetaCall] = []

        def second(call: MetaCall) -> bool:
            if call.arguments[:1] == (scene.keys.epoch(scene.vchannel),):
                seen.append(call)
            return len(seen) == 2

        async def happens() -> None:
            await save_rows(scene, (None, 5), (1, 5))
            await scene.assign(2)

        await scene.assign(1)
        scene.world.put_files([insert_file(scene.vchannel, SEGMENT, 1, 5, 5)])
        await collect(scene, Between(second, happens))
        await check_objects(scene)

    yield Scene().play(work)


def manifest_on_its_way() -> Iterator[str]:
    """The only stored manifest is older than a file; one that names it is stored after the drop."""

    async def work(scene: Scene) -> None:
        await scene.assign(1)
        await store(scene.world.objects, await manifest_now(scene))
        await save_rows(scene, (None, 5), (1, 5))
        late = await manifest_now(scene)
        await drop(scene, (5, 9))
        await collect(scene)
        await store(scene.world.objects, late)
        await check_objects(scene)

    yield Scene().play(work)


def frozen_leader() -> Iterator[str]:
    """A leader reads for a manifest and freezes; its successor's manifest is stored first."""

    async def work(scene: Scene) -> None:
        await scene.assign(1)
        await save_rows(scene, (None, 5), (1, 5))
        late = await manifest_now(scene)
        await drop(scene, (5, 9))
        await store(scene.world.objects, await manifest_now(scene))
        await collect(scene)
        await store(scene.world.objects, late)
        await check_objects(scene)

    yield Scene().play(work)


def report_inside_a_read() -> Iterator[str]:
    """A report is committed while a leader reads for a manifest."""

    async def work(scene: Scene) -> None:
        bundles = scene.keys.bundles_prefix(scene.vchannel)
        hook = Between(
            lambda call: call.arguments[:1] == (bundles,),
            lambda: save_rows(scene, (None, 9), (1, 9)),
        )
        await scene.assign(1)
        meta = scene.world.store.client("leader", hook)
        derived = await derive(meta, scene.keys, COLLECTION, [scene.vchannel])
        assert isinstance(derived, Derived)
        made = derived.manifest
        named = {f.key for s in made.segments for f in s.files}
        for record in (await scene.world.channel(scene.vchannel)).live_segments():
            for file in record.files:
                if file.last_timestamp <= made.timestamp and file.key not in named:
                    violated("SN-1", f"{file.key} is not in the snapshot at {made.timestamp}")

    yield Scene().play(work)
