"""What the store in memory has beyond the contract: faults, virtual time, the same each time."""

import asyncio

import pytest
from support.world.clock import ManualClock, settle
from support.world.edges import Line

from headrace.meta.api import Compacted, Delete, DeleteEvent, Put, PutEvent
from headrace.meta.memory import LEAST_TTL_S, MemoryMetaServer
from headrace.model.errors import Unavailable


async def test_a_cut_line_is_unavailable_and_changes_nothing() -> None:
    server = MemoryMetaServer(ManualClock())
    line = Line()
    client = server.client("a", line)
    line.cut = True
    with pytest.raises(Unavailable):
        await client.txn([], [Put("a", b"x")])
    assert server.revision == 1


async def test_a_lost_answer_was_done() -> None:
    server = MemoryMetaServer(ManualClock())
    line = Line()
    line.lose_answers = {"txn": 1}
    with pytest.raises(Unavailable):
        await server.client("a", line).txn([], [Put("a", b"x")])
    assert server.read("a", False, 0).first is not None


async def test_a_hook_sees_who_calls_what() -> None:
    line = Line()
    await MemoryMetaServer(ManualClock()).client("node-1", line).get("a")
    [call] = line.calls
    assert (call.client, call.method, call.arguments) == ("node-1", "get", ("a", 0))


async def test_one_client_is_cut_off_and_the_others_are_not() -> None:
    server = MemoryMetaServer(ManualClock())
    line = Line()
    line.cut = True
    server.client("a", line)
    await server.client("b").txn([], [Put("a", b"x")])
    assert server.revision == 2


async def test_leases_end_in_order_of_their_ends_each_in_a_revision() -> None:
    clock = ManualClock()
    server = MemoryMetaServer(clock)
    late, soon = server.grant(7), server.grant(3)
    server.txn([], [Put("late", b"", late), Put("soon/1", b"", soon), Put("soon/2", b"", soon)])
    await clock.advance(60)
    batches, _ = server.changes("", 3)
    assert [[e.key for e in batch.events] for batch in batches] == [["soon/1", "soon/2"], ["late"]]
    assert all(isinstance(e, DeleteEvent) for batch in batches for e in batch.events)


async def test_a_watch_wakes_for_the_end_of_a_lease_that_nobody_calls_for() -> None:
    clock = ManualClock()
    server = MemoryMetaServer(clock)
    server.txn([], [Put("a", b"", server.grant(4))])
    watch = server.client().watch("a", start=3)
    batch = await clock.run(anext(watch))  # type: ignore[arg-type]
    assert batch.events == (DeleteEvent("a", 3),)
    assert clock.monotonic() == 4


async def test_a_watch_wakes_for_a_lease_that_was_granted_while_it_waits() -> None:
    clock = ManualClock()
    server = MemoryMetaServer(clock)
    server.grant(100)
    watch = server.client().watch("a", start=2)
    waiting = asyncio.ensure_future(anext(watch))
    await settle()
    server.txn([], [Put("b", b""), Put("a", b"", server.grant(4))])
    await clock.advance(0)
    assert waiting.done()
    following = asyncio.ensure_future(anext(watch))
    await clock.advance(4)
    assert following.done()


async def test_a_restart_renews_every_lease_in_full() -> None:
    clock = ManualClock()
    server = MemoryMetaServer(clock)
    server.txn([], [Put("a", b"", server.grant(5))])
    await clock.advance(4)
    server.restart()
    await clock.advance(4)
    assert server.read("a", False, 0).first is not None


async def test_no_lease_is_shorter_than_the_least_of_etcd() -> None:
    clock = ManualClock()
    server = MemoryMetaServer(clock)
    assert server.keep_alive(server.grant(1)) == LEAST_TTL_S


async def test_compaction_keeps_what_stands_and_forgets_what_does_not() -> None:
    server = MemoryMetaServer(ManualClock())
    server.txn([], [Put("a", b"1"), Put("b", b"1")])  # revision 2
    server.txn([], [Put("a", b"2")])
    server.txn([], [Delete("b")])
    server.txn([], [Put("a", b"3")])  # revision 5
    server.compact(4)
    assert [i.value for i in server.read("", True, 4).items] == [b"2"]
    assert [i.value for i in server.read("", True, 0).items] == [b"3"]
    with pytest.raises(Compacted):
        server.read("a", False, 3)
    with pytest.raises(Compacted):
        server.changes("", 3)
    [delete, put], _ = server.changes("", 4)
    assert delete.events == (DeleteEvent("b", 4),)
    assert isinstance(put.events[0], PutEvent)


async def test_a_lease_forgets_keys_that_were_removed_or_given_to_another() -> None:
    server = MemoryMetaServer(ManualClock())
    first, second = server.grant(5), server.grant(5)
    server.txn([], [Put("a", b"", first), Put("b", b"", first)])
    server.txn([], [Put("a", b"", second), Delete("b")])
    revision = server.revision
    server.revoke(first)
    assert server.revision == revision
    server.revoke(second)
    assert server.read("a", False, 0).first is None
