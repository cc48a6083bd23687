"""What a leader writes is let in only while it leads, and an unknown outcome is told as such."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import pytest
from support.world.clock import ManualClock, manual_host

from headrace.frame.leader_store import LeaderStore, NotLeading
from headrace.meta.api import ModRevisionIs, Put
from headrace.meta.memory import MemoryMetaServer, MetaCall
from headrace.model.errors import Unavailable

T = TypeVar("T")


@dataclass
class Away:
    """A hook: the next calls of this method are lost on their way."""

    method: str = ""
    left: int = 0

    async def before(self, call: MetaCall) -> None:
        if call.method == self.method and self.left:
            self.left -= 1
            raise Unavailable("lost on the way there")

    async def after(self, call: MetaCall) -> None:
        return


class Scene:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.server = MemoryMetaServer(self.clock)
        self.away = Away()

    def elect(self) -> LeaderStore:
        """Another leader; the one before does not know."""
        revision = self.server.txn([], [Put("leader", b"x")]).revision
        client = self.server.client("m", self.away)
        return LeaderStore(client, ModRevisionIs("leader", revision), manual_host(self.clock))


def on(clock: ManualClock, work: Callable[[], Awaitable[T]]) -> Awaitable[T]:
    async def run() -> T:
        return await work()

    return clock.run(run())


async def test_a_leader_writes_and_one_that_was_replaced_writes_nothing() -> None:
    scene = Scene()
    old = scene.elect()
    assert await old.txn([], [Put("a", b"1")])
    new = scene.elect()
    with pytest.raises(NotLeading):
        await old.txn([], [Put("a", b"2")])
    with pytest.raises(NotLeading):
        await old.commit([], [Put("a", b"2")])
    found = (await new.get("a")).first
    assert found is not None and found.value == b"1"


async def test_what_has_changed_meanwhile_is_not_overwritten() -> None:
    store = Scene().elect()
    assert await store.txn([ModRevisionIs("a", 0)], [Put("a", b"1")])
    assert await store.txn([ModRevisionIs("a", 0)], [Put("a", b"2")]) is None


async def test_an_unknown_outcome_is_told_at_once_or_waited_for() -> None:
    scene = Scene()
    store = scene.elect()
    scene.away.method, scene.away.left = "txn", 2
    with pytest.raises(Unavailable):
        await store.txn([], [Put("a", b"1")])
    assert await on(scene.clock, lambda: store.commit([], [Put("a", b"1")])) is None
    assert scene.clock.monotonic() > 0
    assert await store.commit([], [Put("a", b"1")])


async def test_who_cannot_read_the_leader_key_goes_on_as_leader() -> None:
    scene = Scene()
    store = scene.elect()
    await store.txn([], [Put("a", b"1")])
    scene.away.method, scene.away.left = "get", 1
    assert await store.txn([ModRevisionIs("a", 0)], [Put("a", b"2")]) is None


async def test_reads_are_repeated_until_the_store_answers() -> None:
    scene = Scene()
    store = scene.elect()
    scene.away.method, scene.away.left = "get", 2
    assert (await on(scene.clock, lambda: store.get("leader"))).first
