"""A role's process: registered, healthy once it has found what it needs, and ended in order."""

import asyncio

import pytest
from support.world.clock import ManualClock
from support.world.edges import Edges

from headrace.frame.service import RoleService
from headrace.meta.api import Put
from headrace.meta.records import LeaderRecord, Role, SessionRecord, SessionState
from headrace.meta.session import Session
from headrace.model import codec
from headrace.model.errors import Fenced
from headrace.rpc.messages import StatusRequest, StatusResponse
from headrace.runtime.driver import Source
from headrace.runtime.supervise import TaskGroup


class Node(RoleService[None]):
    """Needs a data service; says what happens to it."""

    role = Role.DATA_NODE
    needs = (Role.DATA_SERVICE,)

    def happened(self) -> list[str]:
        self.__dict__.setdefault("told", [])
        told: list[str] = self.__dict__["told"]
        return told

    async def open(self, group: TaskGroup) -> None:
        self.happened().append("open")

    def begin(self, group: TaskGroup, session: Session) -> None:
        self.happened().append("begin")

    async def finish(self) -> None:
        await self.say_stopping()
        self.happened().append(f"finish {self.state()}")

    async def close(self) -> None:
        self.happened().append("close")

    def state(self) -> str:
        return self.session.record.state.value if self.session else ""


class Scene:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.edges = Edges(clock=self.clock)

    def node(self) -> Node:
        return Node(self.edges.process(None, "node"))

    def elect_data_service(self) -> None:
        leader = LeaderRecord(server_id=9, node_name="d", address="d:1")
        key = self.edges.keys.leader(Role.DATA_SERVICE)
        self.edges.store.txn([], [Put(key, codec.encode(leader))])

    def session(self) -> SessionRecord | None:
        key = self.edges.keys.session(Role.DATA_NODE, "node")
        found = self.edges.store.read(key, False, 0).first
        return codec.decode(found.value, SessionRecord, key) if found else None

    async def status(self, node: Node, topic: str = "") -> StatusResponse:
        peers = self.edges.network.peers("cli")
        response: StatusResponse = await self.clock.run(
            peers.call(node.address, StatusRequest(topic), timeout_s=1.0)
        )
        return response


async def test_it_is_healthy_once_the_leaders_that_it_needs_are_found() -> None:
    scene = Scene()
    node = scene.node()
    running = asyncio.create_task(node.run())
    await scene.clock.advance(1)
    assert not node.healthy
    assert (await scene.status(node)).state == SessionState.INITIALIZING
    scene.elect_data_service()
    await scene.clock.advance(1)
    assert node.healthy
    record = scene.session()
    assert record is not None and record.state is SessionState.HEALTHY
    assert record.address == node.address
    node.stop()
    assert not node.healthy
    await scene.clock.run(_ended(running))


async def test_it_ends_in_order_and_gives_its_session_back() -> None:
    scene = Scene()
    scene.elect_data_service()
    node = scene.node()
    running = asyncio.create_task(node.run())
    await scene.clock.advance(1)
    node.stop()
    await scene.clock.run(_ended(running))
    assert node.happened() == ["open", "begin", "finish stopping", "close"]
    assert scene.session() is None


async def test_a_process_that_was_replaced_dies_and_closes_what_it_opened() -> None:
    scene = Scene()
    scene.elect_data_service()
    old, new = scene.node(), scene.node()
    tasks = [asyncio.create_task(old.run())]
    await scene.clock.advance(1)
    tasks.append(asyncio.create_task(new.run()))
    await scene.clock.advance(10)
    with pytest.raises(Fenced):
        await tasks[0]
    assert old.happened() == ["open", "begin", "close"]
    assert new.healthy
    new.stop()
    await scene.clock.run(_ended(tasks[1]))


async def test_a_status_tells_the_story_of_its_machine() -> None:
    scene = Scene()
    node = scene.node()
    running = asyncio.create_task(node.run())
    await scene.clock.advance(1)
    journal = node.around.telemetry.journal("test")
    journal.record(1, 0.0, Source.CLOCK, "segment 7", [])
    told = await scene.status(node, "story:segment 7")
    assert "'segment 7' <- clock" in told.details["story"]
    node.stop()
    await scene.clock.run(_ended(running))


async def _ended(task: "asyncio.Task[None]") -> None:
    await task
