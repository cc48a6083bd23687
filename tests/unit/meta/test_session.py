"""Sessions: ids, loss, re-registration, and who stays of two with one node name."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from support.world.clock import ManualClock, manual_host, settle
from support.world.edges import Line

from headrace.meta.api import Delete, Put
from headrace.meta.keys import Keys
from headrace.meta.memory import MemoryMetaServer
from headrace.meta.records import Role, SessionRecord, SessionState
from headrace.meta.session import CLOSE_S, TTL_S, Session
from headrace.model.codec import decode
from headrace.model.errors import Fenced
from headrace.runtime.telemetry import silent

KEYS = Keys()


@dataclass
class World:
    """A store and sessions on it, on one clock."""

    clock: ManualClock
    server: MemoryMetaServer
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def session(self, line: Line | None = None, name: str = "data-node-1") -> Session:
        """A session that was not started."""
        return Session(
            meta=self.server.client(name, line),
            keys=KEYS,
            host=manual_host(self.clock),
            telemetry=silent(),
            role=Role.DATA_NODE,
            node_name=name,
            address=f"127.0.0.1:{100 + len(self.tasks)}",
        )

    def keep(self, session: Session) -> asyncio.Task[None]:
        """Its `run` as a task."""
        task = asyncio.create_task(session.run())
        self.tasks.append(task)
        return task

    async def started(self, line: Line | None = None, name: str = "data-node-1") -> Session:
        """A session that is registered and kept."""
        session = self.session(line, name)
        await self.clock.run(session.start())
        self.keep(session)
        return session

    def stored(self, name: str = "data-node-1") -> SessionRecord | None:
        """What stands in the store."""
        item = self.server.read(KEYS.session(Role.DATA_NODE, name), False, 0).first
        return decode(item.value, SessionRecord) if item else None

    def held(self, session: Session) -> bool:
        """Now."""
        return session.is_held(self.clock.monotonic())


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """An empty store."""
    clock = ManualClock()
    made = World(clock, MemoryMetaServer(clock))
    yield made
    for task in made.tasks:
        task.cancel()
    await asyncio.gather(*made.tasks, return_exceptions=True)


async def test_a_process_is_registered_under_its_lease(world: World) -> None:
    session = await world.started()
    assert world.stored() == session.record
    assert session.record.state is SessionState.INITIALIZING
    assert world.held(session)
    world.server.revoke(session.lease)
    assert world.stored() is None


async def test_server_ids_rise_and_never_repeat(world: World) -> None:
    sessions = [world.session(name=f"data-node-{n}") for n in range(10)]
    await world.clock.run(gather(*(session.start() for session in sessions)))
    assert sorted(session.server_id for session in sessions) == list(range(1, 11))


async def gather(*work: object) -> None:
    """`asyncio.gather` as a coroutine."""
    await asyncio.gather(*work)  # type: ignore[call-overload]


async def test_a_lost_answer_costs_a_server_id_and_nothing_else(world: World) -> None:
    line = Line()
    line.lose_answers = {"txn": 1}
    session = await world.started(line)
    assert session.server_id == 2
    assert world.stored() == session.record


@pytest.mark.parametrize("method", ["get", "grant", "txn", "keep_alive"])
async def test_lost_answers_never_end_a_session(world: World, method: str) -> None:
    line = Line()
    session = await world.started(line)
    line.lose_answers = {method: 3}
    await world.clock.advance(60)
    assert world.held(session)
    assert session.lost_count == 0


async def test_a_session_is_kept_far_beyond_its_ttl(world: World) -> None:
    session = await world.started()
    lease = session.lease
    for _ in range(200):
        await world.clock.advance(0.7)
        assert world.held(session)
    assert (session.lease, session.lost_count) == (lease, 0)


async def test_a_session_that_is_cut_off_is_not_held_before_the_store_ends_it(
    world: World,
) -> None:
    line = Line()
    session = await world.started(line)
    await world.clock.advance(10)
    line.cut = True
    for _ in range(100):
        await world.clock.advance(0.1)
        assert world.stored() is not None or not world.held(session)
    assert world.stored() is None
    assert not world.held(session)


async def test_after_a_loss_the_same_process_registers_anew(world: World) -> None:
    line = Line()
    session = await world.started(line)
    await world.clock.run(session.set_state(SessionState.HEALTHY))
    server_id, lease = session.server_id, session.lease
    line.cut = True
    await world.clock.advance(2 * TTL_S)
    assert world.stored() is None
    line.cut = False
    await world.clock.advance(2)
    assert world.held(session)
    stored = world.stored()
    assert stored is not None
    assert (stored.server_id, stored.state) == (server_id, SessionState.HEALTHY)
    assert session.lost_count == 1
    assert session.lease != lease


async def test_a_lease_that_the_store_ends_early_is_a_loss_like_any_other(world: World) -> None:
    session = await world.started()
    world.server.revoke(session.lease)
    await world.clock.advance(2)
    assert world.held(session)
    assert world.stored() == session.record
    assert session.lost_count == 1


async def test_a_lease_that_outlives_its_time_is_no_loss(world: World) -> None:
    line = Line()
    session = await world.started(line)
    line.cut = True
    await world.clock.advance(TTL_S - 0.1)
    world.server.restart()
    await world.clock.advance(1)
    assert not world.held(session)
    line.cut = False
    await world.clock.advance(2)
    assert world.held(session)
    assert session.lost_count == 0


async def test_a_record_that_was_removed_is_written_again(world: World) -> None:
    session = await world.started()
    world.server.txn([], [Delete(KEYS.session(Role.DATA_NODE, "data-node-1"))])
    await world.clock.advance(2)
    assert world.stored() == session.record


async def test_a_restarted_process_replaces_its_predecessor_at_once(world: World) -> None:
    old = await world.started()
    world.tasks[0].cancel()  # it is dead: nobody keeps its lease
    world.server.txn([], [Put("of-the-old", b"x", old.lease)])
    new = await world.started()
    await world.clock.advance(TTL_S / 3 + 0.1)
    assert world.stored() == new.record
    assert new.server_id > old.server_id
    assert world.server.read("of-the-old", False, 0).first is None


async def test_a_predecessor_that_still_lives_is_fenced(world: World) -> None:
    old = await world.started()
    new = await world.started()
    await world.clock.advance(TTL_S)
    assert isinstance(world.tasks[0].exception(), Fenced)
    assert not world.held(old)
    assert world.held(new)
    assert world.stored() == new.record
    with pytest.raises(Fenced):
        await old.set_state(SessionState.HEALTHY)


async def test_a_predecessor_that_was_frozen_is_fenced_when_it_wakes(world: World) -> None:
    line = Line()
    old = await world.started(line)
    line.cut = True
    await world.clock.advance(60)
    new = await world.started()
    line.cut = False
    await world.clock.advance(2)
    assert isinstance(world.tasks[0].exception(), Fenced)
    assert not world.held(old)
    assert world.stored() == new.record


async def test_a_predecessor_that_registered_in_between_gives_way(world: World) -> None:
    line_old, line_new = Line(), Line()
    await world.started(line_old)
    line_old.cut = True
    new = await world.started(line_new)
    line_new.cut = True
    await world.clock.advance(3 * TTL_S)
    line_old.cut = False
    await world.clock.advance(2)
    line_new.cut = False
    await world.clock.advance(2 * TTL_S)
    assert world.stored() == new.record
    assert isinstance(world.tasks[0].exception(), Fenced)
    assert world.held(new)


async def test_nodes_of_other_names_leave_each_other_alone(world: World) -> None:
    first, second = await world.started(), await world.started(name="data-node-2")
    await world.clock.advance(60)
    assert world.held(first)
    assert world.held(second)


async def test_states_are_written_and_survive_lost_answers(world: World) -> None:
    line = Line()
    session = await world.started(line)
    line.lose_answers = {"txn": 2, "get": 1}
    await world.clock.run(session.set_state(SessionState.HEALTHY))
    stored = world.stored()
    assert stored is not None
    assert stored.state is SessionState.HEALTHY
    assert session.lost_count == 0


async def test_a_transaction_can_compare_that_the_registration_stands(world: World) -> None:
    session = await world.started()
    assert world.server.txn([session.compare], []).succeeded
    before = session.compare
    await world.clock.run(session.set_state(SessionState.HEALTHY))
    assert not world.server.txn([before], []).succeeded
    assert world.server.txn([session.compare], []).succeeded


async def test_a_closed_session_is_gone_at_once_and_stays_gone(world: World) -> None:
    session = await world.started()
    await world.clock.run(session.close())
    assert world.stored() is None
    assert not world.held(session)
    await world.clock.advance(20)
    assert world.tasks[0].done()
    assert world.tasks[0].exception() is None
    assert world.stored() is None


async def test_closing_does_not_wait_for_a_store_that_is_away(world: World) -> None:
    line = Line()
    session = await world.started(line)

    async def never() -> None:
        await asyncio.Event().wait()

    line.before = lambda call: never()  # type: ignore[method-assign]
    before = world.clock.monotonic()
    await world.clock.run(session.close())
    assert world.clock.monotonic() == before + CLOSE_S


async def test_changes_tell_of_registration_and_loss(world: World) -> None:
    session = world.session()
    count = session.changes.count
    await world.clock.run(session.start())
    assert session.changes.count > count
    world.keep(session)
    count = session.changes.count
    world.server.revoke(session.lease)
    await world.clock.advance(2)
    assert session.changes.count >= count + 2


async def test_a_start_waits_for_the_store(world: World) -> None:
    line = Line()
    line.cut = True
    session = world.session(line)
    starting = asyncio.create_task(session.start())
    await world.clock.advance(100)
    assert not starting.done()
    line.cut = False
    await world.clock.run(finished(starting))
    assert world.stored() == session.record


async def finished(task: asyncio.Task[None]) -> None:
    """Wait for a task."""
    await task


async def test_a_stale_compare_does_not_overwrite_a_successor(world: World) -> None:
    """The old process has read the record, then freezes; a successor registers; it wakes."""
    line = Line()
    old = await world.started(line)
    gate = asyncio.Event()

    async def hold_txn(call: object) -> None:
        if getattr(call, "method", "") == "txn":
            await gate.wait()

    line.before = hold_txn  # type: ignore[assignment]
    writing = asyncio.create_task(old.set_state(SessionState.HEALTHY))
    await settle()
    new = await world.started()
    gate.set()
    await world.clock.advance(1)
    assert isinstance(writing.exception(), Fenced)
    assert world.stored() == new.record
