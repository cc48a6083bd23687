"""Focused scenes: what needs none of the simulator to notice that a rule is missing.

Each scene yields one text for each of its runs: "" when nothing was noticed, else an invariant's
id and what happened, or the class and text of the error that was raised.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from support.chaos import datanode as datanode_chaos
from support.chaos.sequencer import Chaos
from support.players.sequencer import START_MS, Script, of, part
from support.world.clock import manual_host
from support.world.dataservice import World
from support.world.facts import (
    COLLECTION,
    PARTITION,
    insert_file,
    position,
    report,
    segment_report,
    stamp,
    vchannels_of,
)

from headrace.dataservice.effects import WriteEpoch
from headrace.dataservice.maintenance.collector import Collector
from headrace.dataservice.maintenance.garbage import (
    Evidence,
    References,
    Round,
    epochs_of,
)
from headrace.dataservice.maintenance.truncate import Samples, below
from headrace.dataservice.placement.epochs import write_epoch
from headrace.dataservice.placement.watches import read_watch
from headrace.dataservice.reports.decision import Commit, decide
from headrace.dataservice.state.channel_state import read_channel
from headrace.frame.leader_store import LeaderStore
from headrace.meta.api import ModRevisionIs, Put
from headrace.meta.memory import CallHook
from headrace.meta.records import (
    CheckpointRecord,
    LeaderRecord,
    PChannelRecord,
    Role,
    SegmentRecord,
)
from headrace.model import codec
from headrace.model.segment import SegmentState
from headrace.model.timestamp import compose
from headrace.objects.api import ObjectInfo
from headrace.reader.deletes import AllDeletes
from headrace.rpc.messages import SaveBinlogPathsRequest
from headrace.sequencer.effects import Append

CHANCES = 300


def told(run: Callable[[], object]) -> str:
    """What a run raises, "" when it raises nothing."""
    try:
        run()
    except datanode_chaos.Violation as violation:
        return str(violation)
    except Exception as error:  # noqa: BLE001 - it is what was noticed
        text = str(error)
        named = type(error).__name__ in ("Violation", "AssertionError")
        return text if named else f"{type(error).__name__}: {text}"
    return ""


# ---- by chance -----------------------------------------------------------------------------------


def sequencers() -> Iterator[str]:
    """Three processes that may sequence one pchannel; odd seeds with a master that is away."""
    for seed in range(CHANCES):
        yield told(lambda seed=seed: Chaos(seed, away=bool(seed % 2)).run())


def datanodes() -> Iterator[str]:
    """One vchannel, nodes that crash and freeze, reports that come late and twice."""
    for seed in range(CHANCES):
        yield told(lambda seed=seed: datanode_chaos.run_checked(seed))


def late_grant() -> Iterator[str]:
    """The log's last timestamp is above what the master service grants at first."""

    def run() -> None:
        script = Script()
        script.open(timestamp=compose(START_MS + 50))
        _, effects = script.append(part("a"))
        [append] = of(Append, effects)
        script.stands(append)

    yield told(run)


# ---- reports and assignments ---------------------------------------------------------------------


class Scene:
    """One vchannel in meta, and a leader of the data service."""

    def __init__(self) -> None:
        self.world = World()
        self.keys = self.world.keys
        (self.vchannel,) = self.world.create(1)
        key = self.keys.leader(Role.DATA_SERVICE)
        record = LeaderRecord(server_id=1, node_name="d", address="d")
        revision = self.world.store.txn([], [Put(key, codec.encode(record))]).revision
        self._leads = ModRevisionIs(key, revision)
        self.meta = self.leader_store()

    def leader_store(self, hook: CallHook | None = None) -> LeaderStore:
        """The meta store of that leader, over a handle with this hook."""
        client = self.world.store.client("leader", hook)
        return LeaderStore(client, self._leads, manual_host(self.world.clock))

    def order(self, epoch: int, server_id: int) -> WriteEpoch:
        """The order that writes this epoch over the one that stands."""
        found = self.world.store.read(self.keys.epoch(self.vchannel), False, 0).first
        assert found is not None
        return WriteEpoch(
            vchannel=self.vchannel,
            epoch=epoch,
            revision=found.mod_revision,
            server_id=server_id,
            node_name=f"n{server_id}",
        )

    async def assign(self, epoch: int) -> None:
        """Write an epoch of server 1."""
        assert await write_epoch(self.meta, self.keys, self.order(epoch, 1)) is not None

    async def decide(self, request: SaveBinlogPathsRequest) -> object:
        """What becomes of a report, given what stands; an applied one is committed."""
        channel = await read_channel(self.world.meta, self.keys, self.vchannel)
        decision = decide(request, channel, self.keys)
        if isinstance(decision, Commit):
            assert await self.meta.txn(decision.compare, decision.operations) is not None
        return decision

    def play(self, work: Callable[["Scene"], Awaitable[Any]]) -> str:
        """What the work raises."""
        return told(lambda: asyncio.run(self.world.clock.run(work(self))))


def lost_answer() -> Iterator[str]:
    """A report is repeated because its answer was lost."""

    async def work(scene: Scene) -> None:
        await scene.assign(1)
        part = segment_report(scene.vchannel, 11, 1, 1, (None, 5))
        for _ in range(2):
            await scene.decide(report(scene.vchannel, 1, (1, 5), part))

    yield Scene().play(work)


def two_assignments() -> Iterator[str]:
    """Two orders to write epoch 1; the one that was made first arrives last."""

    async def work(scene: Scene) -> None:
        late = scene.order(1, 5)
        await write_epoch(scene.meta, scene.keys, scene.order(1, 6))
        await write_epoch(scene.meta, scene.keys, late)
        if scene.world.epoch(scene.vchannel).server_id != 6:
            raise AssertionError("CH-1 epoch 1 was given to server 6 and then to server 5")

    yield Scene().play(work)


def stale_watch() -> Iterator[str]:
    """A report of epoch 1 is committed just before epoch 2 is written; then epoch 2 goes on."""

    async def work(scene: Scene) -> None:
        v = scene.vchannel
        await scene.assign(1)
        await scene.decide(report(v, 1, (1, 5), segment_report(v, 11, 1, 1, (None, 5))))
        await scene.assign(2)
        watch = await read_watch(scene.world.meta, scene.keys, v, 2)
        assert watch is not None
        known = {s.segment_id: s.checkpoint for s in watch.segments}
        reached = known[11].message_id if known.get(11) else None
        part = segment_report(v, 11, 2, 1, (reached, 8))
        await scene.decide(report(v, 2, (watch.seek.message_id, 8), part))

    yield Scene().play(work)


def after_the_drop() -> Iterator[str]:
    """Once a collection is dropped, what its last epoch stored and never reported may go."""

    async def work(scene: Scene) -> None:
        v = scene.vchannel
        await scene.assign(1)
        await scene.decide(report(v, 1, (1, 9), dropped=True))
        channel = await read_channel(scene.world.meta, scene.keys, v)
        left = ObjectInfo(insert_file(v, 11, 1, 1, 5).key, 100, 0)
        deciding = Round(
            epochs=epochs_of([channel]),
            references=References(frozenset()),
            evidence=Evidence(),
            now_ms=100,
            grace_ms=10,
        )
        if not deciding.may_go(left):
            raise AssertionError(f"LIVE {left.key} of a dropped collection never goes")

    yield Scene().play(work)


# ---- garbage -------------------------------------------------------------------------------------


def dropped_meta() -> Iterator[str]:
    """A dropped segment whose files are gone, above the channel checkpoint."""

    async def work(scene: Scene) -> None:
        v = scene.vchannel
        await scene.assign(1)
        await scene.decide(report(v, 1, (1, 1), segment_report(v, 11, 1, 1, (None, 5))))
        key = scene.keys.segment(v, 11)
        found = scene.world.store.read(key, False, 0).first
        assert found is not None
        record = replace(codec.decode(found.value, SegmentRecord), state=SegmentState.DROPPED)
        scene.world.store.txn([], [Put(key, codec.encode(record))])
        collector = Collector(
            scene.meta, scene.keys, scene.world.objects, scene.world.clock, grace_s=1.0
        )
        await collector.collect(COLLECTION, [v])
        watch = await read_watch(scene.world.meta, scene.keys, v, 1)
        assert watch is not None
        if 11 not in {s.segment_id for s in watch.segments}:
            raise AssertionError("DL-1 replay from the checkpoint stores rows of segment 11 anew")

    yield Scene().play(work)


def file_of_dropped_meta() -> Iterator[str]:
    """A file of the present epoch, whose segment was dropped before the evidence was read."""
    v = vchannels_of(COLLECTION, 1)[0]
    info = ObjectInfo(insert_file(v, 11, 1, 1, 5).key, 100, 0)
    deciding = Round(
        epochs={v: 1},
        references=References(frozenset(), {info.key: 5}),
        evidence=Evidence(revision=9),
        now_ms=100,
        grace_ms=10,
    )
    yield "" if deciding.may_go(info) else f"LIVE {info.key} of dropped meta never goes"


def truncation() -> Iterator[str]:
    """The window has passed a checkpoint that stands still."""
    v = vchannels_of(COLLECTION, 1)[0]
    samples = Samples()
    samples.add([position(v, n) for n in range(1, 10)])
    held = CheckpointRecord(position=position(v, 4), start=position(v, 1))
    mark = below(PChannelRecord(vchannels=(v,)), [held], samples, stamp(9), 0)
    yield f"DL-1 truncated below {mark}, and replay begins at 4" if mark > 4 else ""


# ---- readers -------------------------------------------------------------------------------------


def upsert() -> Iterator[str]:
    """A row and the delete that its own upsert brings have one timestamp."""
    columns = {"key": [5], "_timestamp": [10], "_partition_id": [0]}
    table = pa.table({n: pa.array(v, pa.int64()) for n, v in columns.items()})
    deletes = AllDeletes([table], pa.int64(), 99).of(PARTITION)
    hidden = deletes.hide(pa.array([5], pa.int64()), np.array([10], dtype=np.int64))
    yield "DL-2 an upsert's delete hides the upsert's own row" if hidden[0] else ""
