"""Commits on their way to the meta store and back: lost answers, late copies, two leaders."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.world.clock import ManualClock, manual_host
from support.world.dataservice import World
from support.world.facts import deletes_report, position, report, segment_report

from headrace.dataservice.effects import WriteEpoch
from headrace.dataservice.placement.epochs import write_epoch
from headrace.dataservice.reports.committer import Committer, Saved
from headrace.dataservice.state.channel_state import read_channel
from headrace.frame.leader_store import LeaderStore, NotLeading
from headrace.meta.api import ModRevisionIs, Put
from headrace.meta.memory import MetaCall
from headrace.meta.records import LeaderRecord, Role
from headrace.model import codec
from headrace.model.errors import Conflict, Fenced, Unavailable
from headrace.model.segment import SegmentState
from headrace.rpc.messages import CheckpointMove, SaveBinlogPathsRequest

T = TypeVar("T")


@dataclass
class Trouble:
    """Loses what it is told to: the next so many transactions on their way there or back."""

    lost_requests: int = 0
    lost_answers: int = 0
    down: bool = False
    transactions: int = 0

    async def before(self, call: MetaCall) -> None:
        if self.down:
            raise Unavailable("down")
        if call.method == "txn":
            self.transactions += 1
            if self.lost_requests:
                self.lost_requests -= 1
                raise Unavailable("lost on the way there")

    async def after(self, call: MetaCall) -> None:
        if call.method == "txn" and self.lost_answers:
            self.lost_answers -= 1
            raise Unavailable("lost on the way back")


class Scene:
    """One vchannel at epoch 1 of server 1, and leaders that take turns."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.world = World()
        self.world.clock = self.clock
        self.keys = self.world.keys
        (self.vchannel,) = self.world.create(1)
        self.trouble = Trouble()
        self.leaders = 0
        self.committer = self.elect()

    def elect(self) -> Committer:
        """Another leader; the one before goes on as if nothing had happened."""
        self.leaders += 1
        key = self.keys.leader(Role.DATA_SERVICE)
        record = LeaderRecord(server_id=self.leaders, node_name="d", address="d")
        revision = self.world.store.txn([], [Put(key, codec.encode(record))]).revision
        client = self.world.store.client(f"d{self.leaders}", self.trouble)
        self.meta = LeaderStore(client, ModRevisionIs(key, revision), manual_host(self.clock))
        return Committer(self.meta, self.keys, self.clock, timeout_s=5.0, retry_s=0.1)

    async def assign(self, server_id: int) -> int:
        """The next epoch; its number."""
        channel = await read_channel(self.world.meta, self.keys, self.vchannel)
        epoch = channel.epoch.value.epoch + 1
        order = WriteEpoch(
            vchannel=self.vchannel,
            epoch=epoch,
            revision=channel.epoch.revision,
            server_id=server_id,
            node_name=f"n{server_id}",
        )
        await write_epoch(self.meta, self.keys, order)
        return epoch

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(self.clock.run(work))


def sync(vchannel: str, epoch: int, extends: int | None, upto: int) -> SaveBinlogPathsRequest:
    part = segment_report(vchannel, 11, epoch, upto, (extends, upto))
    return report(vchannel, epoch, (extends or 1, upto), part)


def test_a_lost_answer_is_found_out_by_reading_what_was_compared() -> None:
    scene = Scene()

    async def work() -> Saved:
        await scene.assign(1)
        scene.trouble.lost_answers = 1
        return await scene.committer.save(sync(scene.vchannel, 1, None, 5))

    outcome = scene.run(work())
    assert outcome.outcome == "done"
    assert outcome.channel.checkpoint.value.position == position(scene.vchannel, 5)


def test_a_lost_request_is_sent_again() -> None:
    scene = Scene()

    async def work() -> Saved:
        await scene.assign(1)
        scene.trouble.lost_requests = 1
        return await scene.committer.save(sync(scene.vchannel, 1, None, 5))

    assert scene.run(work()).outcome == "applied"


def test_while_the_store_is_away_the_outcome_stays_unknown() -> None:
    scene = Scene()

    async def work() -> None:
        await scene.assign(1)
        scene.trouble.down = True
        with pytest.raises(Unavailable):
            await scene.committer.save(sync(scene.vchannel, 1, None, 5))

    scene.run(work())


def test_a_leader_that_was_replaced_commits_nothing_and_learns_it() -> None:
    scene = Scene()

    async def work() -> None:
        await scene.assign(1)
        old = scene.committer
        await old.save(sync(scene.vchannel, 1, None, 5))
        scene.elect()
        with pytest.raises(NotLeading):
            await old.save(sync(scene.vchannel, 1, 5, 6))
        channel = await read_channel(scene.world.meta, scene.keys, scene.vchannel)
        assert channel.checkpoint.value.position == position(scene.vchannel, 5)

    scene.run(work())


def test_a_stale_channel_state_costs_a_refused_transaction_and_no_wrong_answer() -> None:
    scene = Scene()

    async def work() -> None:
        await scene.assign(1)
        await scene.committer.save(sync(scene.vchannel, 1, None, 5))
        await scene.assign(2)  # behind the committer's back
        with pytest.raises(Fenced):
            await scene.committer.save(sync(scene.vchannel, 1, 5, 6))
        later = replace(sync(scene.vchannel, 2, 5, 6), server_id=2)
        assert (await scene.committer.save(later)).outcome == "applied"

    scene.run(work())


def test_moves_of_idle_vchannels_go_together_and_what_fails_is_left_out() -> None:
    scene = Scene()
    world = scene.world
    a, b, c = world.create(3, collection_id=8)

    def move(vchannel: str, extends: int) -> CheckpointMove:
        return CheckpointMove(
            vchannel=vchannel,
            epoch=1,
            extends=position(vchannel, extends),
            checkpoint=position(vchannel, 9),
        )

    async def work() -> None:
        for vchannel in (a, b, c):
            scene.vchannel = vchannel
            await scene.assign(1)
        before = scene.trouble.transactions
        moves = [move(a, 1), move(b, 2), move(c, 1), move("p-9_8v9", 1)]
        channels, left_out = await scene.committer.save_moves(1, moves)
        assert scene.trouble.transactions == before + 1
        assert sorted(i.vchannel for i in channels) == [a, c]
        assert sorted(left_out) == sorted([b, "p-9_8v9"])
        channels, left_out = await scene.committer.save_moves(1, moves[:1])  # a copy: done
        assert (len(channels), left_out) == (1, ())

    scene.run(work())


def test_a_lost_answer_to_moves_is_found_out() -> None:
    scene = Scene()

    async def work() -> None:
        await scene.assign(1)
        scene.trouble.lost_answers = 1
        move = CheckpointMove(
            vchannel=scene.vchannel,
            epoch=1,
            extends=position(scene.vchannel, 1),
            checkpoint=position(scene.vchannel, 9),
        )
        channels, left_out = await scene.committer.save_moves(1, [move])
        assert [i.checkpoint.value.position.message_id for i in channels] == [9] and not left_out

    scene.run(work())


# ---- any order of copies, losses, epochs and leaders ---------------------------------------------


@dataclass
class Flowgraph:
    """A flowgraph of one epoch: makes reports in order, one at a time until it is answered."""

    epoch: int
    server_id: int
    segment: int | None  # the segment checkpoint
    channel: int
    deletes: int | None
    under_way: SaveBinlogPathsRequest | None = None
    over: bool = False


@dataclass
class History:
    """A run of a scene: who reported what, and what was answered."""

    scene: Scene = field(default_factory=Scene)
    flowgraphs: list[Flowgraph] = field(default_factory=list)
    copies: list[SaveBinlogPathsRequest] = field(default_factory=list)
    committers: list[Committer] = field(default_factory=list)
    applied: Counter[SaveBinlogPathsRequest] = field(default_factory=Counter)
    checkpoint: int = 1
    number: int = 0

    async def play(self, steps: list[tuple[str, int]]) -> None:
        self.committers.append(self.scene.committer)
        await self.assign()
        for what, which in steps:
            await getattr(self, what)(which)
            await self.check()
        self.scene.trouble.lost_answers = self.scene.trouble.lost_requests = 0
        await self.finish()

    async def assign(self, _: int = 0) -> None:
        scene = self.scene
        scene.trouble.lost_answers = scene.trouble.lost_requests = 0
        if (await read_channel(scene.world.meta, scene.keys, scene.vchannel)).epoch.value.ended:
            return
        server_id = len(self.flowgraphs) + 1
        epoch = await scene.assign(server_id)
        channel = await read_channel(scene.world.meta, scene.keys, scene.vchannel)
        known = channel.segment(11)
        self.flowgraphs.append(
            Flowgraph(
                epoch=epoch,
                server_id=server_id,
                segment=known.checkpoint.message_id if known else None,
                channel=channel.checkpoint.value.position.message_id,
                deletes=channel.deletes.value.checkpoint.message_id if channel.deletes else None,
            )
        )

    async def elect(self, _: int) -> None:
        self.committers.append(self.scene.elect())

    async def lose(self, which: int) -> None:
        if which % 2:
            self.scene.trouble.lost_answers = 1
        else:
            self.scene.trouble.lost_requests = 1

    async def make(self, which: int) -> None:
        """A flowgraph of any epoch makes its next report."""
        flowgraph = self.flowgraphs[which % len(self.flowgraphs)]
        if flowgraph.over or flowgraph.under_way is not None:
            return
        self.number += 1
        upto = max(flowgraph.channel, flowgraph.segment or 1, flowgraph.deletes or 1) + 1
        v = self.scene.vchannel
        part = segment_report(v, 11, flowgraph.epoch, self.number, (flowgraph.segment, upto))
        deletes = None
        if which % 3 == 0:
            span = (flowgraph.deletes, upto)
            deletes = deletes_report(v, flowgraph.epoch, self.number, span)
        to = flowgraph.channel if which % 2 else upto
        flowgraph.under_way = report(
            v,
            flowgraph.epoch,
            (flowgraph.channel, to),
            part,
            server_id=flowgraph.server_id,
            deletes=deletes,
        )
        self.copies.append(flowgraph.under_way)

    async def deliver(self, which: int) -> None:
        """Any copy of any report reaches any leader, past ones included."""
        if not self.copies:
            return
        request = self.copies[which % len(self.copies)]
        committer = self.committers[which % len(self.committers)]
        await self.commit(committer, request)

    async def commit(self, committer: Committer, request: SaveBinlogPathsRequest) -> None:
        owner = next(f for f in self.flowgraphs if f.epoch == request.epoch)
        try:
            outcome = await committer.save(request)
        except (NotLeading, Unavailable):
            return
        except (Fenced, Conflict):
            if owner.under_way is request:
                owner.over = True
            return
        if outcome.outcome == "applied":
            self.applied[request] += 1
            present = await read_channel(
                self.scene.world.meta, self.scene.keys, self.scene.vchannel
            )
            assert present.epoch.value.epoch == request.epoch, "CH-1"
        if owner.under_way is request:
            owner.under_way = None
            owner.segment = request.segments[0].checkpoint.message_id
            owner.channel = request.channel_checkpoint.message_id
            if request.deletes is not None:
                owner.deletes = request.deletes.checkpoint.message_id

    async def check(self) -> None:
        """What stands is the work of reports that follow on one another, each applied once."""
        scene = self.scene
        channel = await read_channel(scene.world.meta, scene.keys, scene.vchannel)
        now = channel.checkpoint.value.position.message_id
        assert now >= self.checkpoint, "CP-1"
        self.checkpoint = now
        record = channel.segment(11)
        files = [f.key for f in record.files] if record else []
        assert len(set(files)) == len(files), "DL-1: a file is named twice"
        assert max(self.applied.values(), default=0) <= 1, "a report was applied twice"
        assert record is None or record.rows == 10 * len(files)
        lasts = [f.last_timestamp for f in record.files] if record else []
        assert lasts == sorted(set(lasts)), "DL-1: two files have the same rows"
        if record is not None:
            assert now <= record.checkpoint.message_id, "CP-2"

    async def finish(self) -> None:
        """The flowgraph of the present epoch can always go on."""
        flowgraph = self.flowgraphs[-1]
        assert not flowgraph.over, "the owner was fenced"
        while flowgraph.under_way is not None:
            await self.commit(self.committers[-1], flowgraph.under_way)
            assert not flowgraph.over, "the owner was fenced"
        await self.check()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["make", "make", "deliver", "deliver", "deliver", "assign", "elect", "lose"]
        ),
        st.integers(0, 11),
    ),
    max_size=40,
)


def play(steps: list[tuple[str, int]]) -> None:
    history = History()
    history.scene.run(history.play(steps))


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_whatever_is_lost_late_or_doubled_each_report_counts_once(
    steps: list[tuple[str, int]],
) -> None:
    play(steps)


def test_a_flushed_segment_is_in_the_channel_state_after_the_commit() -> None:
    scene = Scene()

    async def work() -> Saved:
        await scene.assign(1)
        part = segment_report(scene.vchannel, 11, 1, 1, (None, 5), flushed=True)
        return await scene.committer.save(report(scene.vchannel, 1, (1, 5), part))

    record = scene.run(work()).channel.segment(11)
    assert record is not None and record.state is SegmentState.FLUSHED
