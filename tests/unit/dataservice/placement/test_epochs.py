"""A vchannel's next epoch, whatever becomes of the answer."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from support.world.clock import manual_host
from support.world.dataservice import World

from headrace.dataservice.effects import WriteEpoch
from headrace.dataservice.placement.epochs import write_epoch
from headrace.frame.leader_store import LeaderStore, NotLeading
from headrace.meta.api import ModRevisionIs, Put
from headrace.meta.memory import MetaCall
from headrace.meta.records import EpochRecord, LeaderRecord, Role
from headrace.model import codec
from headrace.model.errors import Unavailable

T = TypeVar("T")


@dataclass
class Trouble:
    """Loses the next transaction on its way there, or its answer."""

    request: bool = False
    answer: bool = False

    async def before(self, call: MetaCall) -> None:
        if call.method == "txn" and self.request:
            self.request = False
            raise Unavailable("lost on the way there")

    async def after(self, call: MetaCall) -> None:
        if call.method == "txn" and self.answer:
            self.answer = False
            raise Unavailable("lost on the way back")


class Scene:
    def __init__(self) -> None:
        self.world = World()
        (self.vchannel,) = self.world.create(1)
        self.trouble = Trouble()
        self.meta = self.elect(1)

    def elect(self, server_id: int) -> LeaderStore:
        key = self.world.keys.leader(Role.DATA_SERVICE)
        record = LeaderRecord(server_id=server_id, node_name="d", address="d")
        revision = self.world.store.txn([], [Put(key, codec.encode(record))]).revision
        store = self.world.store.client("d", self.trouble)
        return LeaderStore(store, ModRevisionIs(key, revision), manual_host(self.world.clock))

    def order(self, server_id: int = 5, epoch: int = 1, revision: int = 0) -> WriteEpoch:
        found = self.world.store.read(self.world.keys.epoch(self.vchannel), False, 0).first
        assert found is not None
        return WriteEpoch(
            vchannel=self.vchannel,
            epoch=epoch,
            revision=revision or found.mod_revision,
            server_id=server_id,
            node_name=f"n{server_id}",
        )

    def write(self, order: WriteEpoch) -> tuple[EpochRecord, int] | None:
        return self.run(write_epoch(self.meta, self.world.keys, order))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(self.world.clock.run(work))


def test_it_is_written_by_compare_and_swap() -> None:
    scene = Scene()
    first = scene.order(5)
    written = scene.write(first)
    assert written is not None and written[0] == scene.world.epoch(scene.vchannel)
    assert scene.write(scene.order(6, revision=first.revision)) is None
    assert scene.world.epoch(scene.vchannel).server_id == 5


def test_a_lost_answer_is_recognised_by_its_own_mark() -> None:
    scene = Scene()
    scene.trouble.answer = True
    written = scene.write(scene.order())
    assert written is not None
    assert written == (scene.world.epoch(scene.vchannel), scene.world.store.revision)


def test_a_lost_request_wrote_nothing() -> None:
    scene = Scene()
    scene.trouble.request = True
    assert scene.write(scene.order()) is None
    assert scene.world.epoch(scene.vchannel).epoch == 0


def test_a_copy_that_comes_late_changes_nothing() -> None:
    scene = Scene()
    late = scene.order(5)
    assert scene.write(scene.order(6)) is not None
    assert scene.write(late) is None
    assert scene.world.epoch(scene.vchannel).server_id == 6


def test_who_was_replaced_writes_nothing() -> None:
    scene = Scene()
    scene.elect(2)
    with pytest.raises(NotLeading):
        scene.write(scene.order())
    assert scene.world.epoch(scene.vchannel).epoch == 0
