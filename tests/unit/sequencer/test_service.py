"""The sequencers of a process, whole, on the edges in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import pytest
from support.players.sequencer import PCHANNEL, collection, ddl
from support.world.sequencer import World, request

from headrace.binlog.body import decode_keys
from headrace.log.memory import MemoryLogServer
from headrace.meta.api import Delete
from headrace.model.entry import Ddl, DdlKind, Digest, Rows, Seal, TermStart, Tick
from headrace.model.errors import Corrupt, Fenced, Invalid, Unavailable
from headrace.rpc.messages import (
    AppendDdlRequest,
    LastPositionRequest,
    SealRequest,
    StopSequencingRequest,
)

T = TypeVar("T")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    await made.begin()
    yield made
    await made.end()


class LostAnswers:
    """A way to the log on which the next answers of appends are lost; gets may say "absent"."""

    def __init__(self, lost: int, absent: int = 0) -> None:
        self.lost = lost
        self.absent = absent

    async def carry(self, operation: str, pchannel: str, apply: Callable[[], T]) -> T:
        result = apply()
        if operation == "append" and self.lost > 0:
            self.lost -= 1
            raise Unavailable("the answer was lost")
        if operation == "get" and self.absent > 0:
            self.absent -= 1
            return None  # type: ignore[return-value]
        return result

    async def pause(self) -> None:
        await asyncio.sleep(0)


class Reached:
    """Crash points that only remember."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def reach(self, name: str) -> None:
        self.names.append(name)


async def test_a_wished_process_sequences_and_rows_stand_when_they_are_acknowledged(
    world: World,
) -> None:
    proxy = await world.opened(1)
    answer = await world.do(proxy.append(request("a", 1, 2)))
    assert (answer.outcome, answer.message_id, answer.rows) == ("done", 2, 2)
    start, rows = world.entries()
    assert isinstance(start, TermStart) and start.server_id == 1
    assert isinstance(rows, Rows) and rows.timestamp == answer.timestamp


async def test_a_repeat_gets_the_keys_of_the_first(world: World) -> None:
    proxy = await world.opened(1)
    first = await world.do(proxy.append(request("a", 1, 2)))
    again = await world.do(proxy.append(request("a", 8, 9)))
    assert again.repeated and again.timestamp == first.timestamp
    assert decode_keys(again.keys).to_pylist() == [1, 2]
    assert sum(isinstance(e, Rows) for e in world.entries()) == 1


async def test_a_repeated_delete_gets_its_keys(world: World) -> None:
    proxy = await world.opened(1)
    delete = request("d", rows=0, body=b"", deletes=2, delete_body=b"keys")
    await world.do(proxy.append(delete))
    again = await world.do(proxy.append(delete))
    assert (again.repeated, again.deletes, bytes(again.keys)) == (True, 2, b"keys")


async def test_requests_that_arrive_together_share_groups(world: World) -> None:
    proxy = await world.opened(1)
    parts = [request(f"r{n}", n) for n in range(40)]
    answers = await world.do(_all(*(proxy.append(p) for p in parts)))
    assert {a.outcome for a in answers} == {"done"}
    assert len(world.groups()) <= 4
    assert len({a.timestamp for a in answers}) == 40


async def _all(*work: Any) -> list[Any]:
    return await asyncio.gather(*work)


async def test_a_lost_answer_is_found_in_the_log(world: World) -> None:
    way = LostAnswers(lost=1, absent=0)
    proxy = await world.opened(1, log=world.log.client(way))
    way.lost, way.absent = 2, 3
    answer = await world.do(proxy.append(request("a", 1)))
    assert answer.outcome == "done"
    assert sum(isinstance(e, Rows) for e in world.entries()) == 1


async def test_a_successor_knows_the_ids_and_the_old_one_is_fenced(world: World) -> None:
    old = await world.opened(1)
    await world.do(old.append(request("a", 1)))
    new = await world.opened(2)
    again = await world.do(new.append(request("a", 1)))
    assert again.repeated and again.message_id == 2
    with pytest.raises(Fenced):
        await world.do(old.append(request("b", 1)))
    terms = [e.server_id for e in world.entries() if isinstance(e, TermStart)]
    assert terms == [1, 2]


async def test_a_successor_reads_through_digests(world: World) -> None:
    old = await world.opened(1, digest_messages=4)
    for n in range(20):
        await world.do(old.append(request(f"r{n}", n)))
    assert sum(isinstance(e, Digest) for e in world.entries()) >= 4
    new = await world.opened(2)
    for n in range(20):
        assert (await world.do(new.append(request(f"r{n}", n)))).repeated
    assert sum(isinstance(e, Rows) for e in world.entries()) == 20


async def test_a_planned_move_asks_the_old_one_to_stop_first(world: World) -> None:
    proxy = await world.opened(1)
    with pytest.raises(Fenced):
        await proxy.stop_sequencing(StopSequencingRequest(server_id=9, pchannel=PCHANNEL))
    await world.do(proxy.stop_sequencing(StopSequencingRequest(server_id=1, pchannel=PCHANNEL)))
    assert not proxy.sequences(PCHANNEL)
    new = await world.opened(2)
    assert new.sequences(PCHANNEL)


async def test_a_ddl_stands_before_it_is_answered(world: World) -> None:
    proxy = await world.opened(1)
    record, item = collection(2, noted=1), ddl(2, DdlKind.RENAME)
    asked = AppendDdlRequest(pchannel=PCHANNEL, record=record, ddl=item)
    first = await world.do(proxy.append_ddl(asked))
    again = await world.do(proxy.append_ddl(asked))
    assert first == again
    assert [p.vchannel for p in first.positions] == list(record.vchannels)
    standing = [e for e in world.entries() if isinstance(e, Ddl)]
    assert [p.position.timestamp for p in first.positions] == [e.timestamp for e in standing]
    stale = await world.do(proxy.append(request("a", 1)))
    assert (stale.outcome, stale.version) == ("stale", 2)


async def test_a_successor_appends_what_is_recorded_and_not_noted(world: World) -> None:
    await world.collection(collection(2, noted=1), ddl(2, DdlKind.ALTER))
    proxy = await world.opened(1)
    await world.until(lambda: any(isinstance(e, Ddl) for e in world.entries()))
    assert (await world.do(proxy.append(request("a", 1)))).outcome == "stale"
    assert (await world.do(proxy.append(request("b", 1, version=2)))).outcome == "done"


async def test_a_flush_seals_through_the_port(world: World) -> None:
    proxy = await world.opened(1)
    answer = await world.do(proxy.append(request("a", 1)))
    sealed = await world.do(
        proxy.seal(SealRequest(pchannel=PCHANNEL, collection_id=7, above=answer.timestamp))
    )
    assert sealed.position.timestamp > answer.timestamp
    assert [type(e) for e in world.entries()] == [TermStart, Rows, Seal]
    here = await world.do(proxy.last_position(LastPositionRequest(PCHANNEL)))
    assert here.position == sealed.position


async def test_an_idle_pchannel_is_ticked(world: World) -> None:
    await world.opened(1, tick_idle_s=10.0)
    await world.clock.advance(31.0)
    assert [type(e) for e in world.entries()] == [TermStart, Tick, Tick, Tick]


async def test_all_pchannels_of_a_process_share_one_call_for_timestamps(world: World) -> None:
    proxy = await world.opened(1, grant_pause_s=0.5)
    before = len(world.master.grants)
    await world.do(_all(*(proxy.append(request(f"r{n}", n)) for n in range(50))))
    assert len(world.master.grants) - before <= 3


async def test_while_the_master_service_is_away_inserts_go_on_with_what_is_held(
    world: World,
) -> None:
    proxy = await world.opened(1)
    await world.do(proxy.append(request("a", 1)))
    world.master.away = True
    answers = [await world.do(proxy.append(request(f"r{n}", n))) for n in range(5)]
    assert {a.outcome for a in answers} == {"done"}
    stamps = [e.timestamp for e in world.entries()]
    assert stamps == sorted(set(stamps))


async def test_who_freezes_and_wakes_after_its_successor_appended_can_do_no_harm(
    world: World,
) -> None:
    """Its append is held on the way, its successor takes over, then the append arrives."""

    class Held:
        def __init__(self) -> None:
            self.hold = False
            self.release = asyncio.Event()

        async def carry(self, operation: str, pchannel: str, apply: Callable[[], T]) -> T:
            if operation == "append" and self.hold:
                await self.release.wait()
            return apply()

        async def pause(self) -> None:
            await asyncio.sleep(0)

    way = Held()
    old = await world.opened(1, log=world.log.client(way))
    way.hold = True
    frozen = asyncio.ensure_future(old.append(request("a", 1)))
    await world.clock.advance(1.0)
    new = await world.opened(2)
    assert (await world.do(new.append(request("b", 2)))).outcome == "done"
    way.release.set()
    with pytest.raises(Fenced):
        await world.do(_wait(frozen))
    assert (await world.do(new.append(request("a", 1)))).outcome == "done"
    found = [e.part_id for e in world.entries() if isinstance(e, Rows)]
    assert len(found) == len(set(found)) == 2


async def _wait(future: "asyncio.Future[T]") -> T:
    return await future


async def test_a_log_that_lost_its_end_is_corrupt_and_says_so(world: World) -> None:
    await world.checkpoint(50)
    proxy = world.sequencers(1)
    await world.assignment(1)
    await world.until(lambda: bool(proxy.status()) and proxy.status()[0]["phase"] == "corrupt")
    with pytest.raises(Corrupt) as raised:
        await world.do(proxy.append(request("a", 1)))
    assert raised.value.channel == PCHANNEL


async def test_rows_are_refused_before_the_disk_is_full() -> None:
    world = World(MemoryLogServer(capacity_bytes=10_000))
    await world.begin()
    proxy = await world.opened(1, log_free_bytes_min=9_000)
    body = bytes(2_000)
    assert (await world.do(proxy.append(request("a", 1, body=body)))).outcome == "done"
    await world.clock.advance(2.0)
    answer = await world.do(proxy.append(request("b", 1)))
    assert answer.outcome == "full" and "log disk almost full" in answer.reason
    await world.end()


async def test_crash_points_are_reached_in_their_order(world: World) -> None:
    crash = Reached()
    proxy = await world.opened(1, crash=crash)
    await world.do(proxy.append(request("a", 1)))
    assert crash.names == [
        "sequencer.term-start.sending",
        "sequencer.term-start.stands",
        "sequencer.group.sending",
        "sequencer.group.stands",
        "sequencer.part.answered",
    ]


async def test_a_clean_end_gives_what_was_sent_its_outcome(world: World) -> None:
    proxy = await world.opened(1)
    asked = asyncio.ensure_future(proxy.append(request("a", 1)))
    await world.until(lambda: len(world.groups()) == 2 or asked.done())
    proxy.stop()
    await world.do(world.tasks[-1])  # type: ignore[arg-type]
    assert asked.done()
    with pytest.raises(Fenced):
        await world.do(proxy.append(request("b", 1)))


async def test_an_end_before_the_outcome_is_known_says_nothing_about_it(world: World) -> None:
    """`Fenced` would say that nothing stands by the call, and it may."""

    class Silent:
        silent = False

        async def carry(self, operation: str, pchannel: str, apply: Callable[[], T]) -> T:
            result = apply()
            while self.silent:
                await world.clock.sleep(1.0)
            return result

        async def pause(self) -> None:
            await asyncio.sleep(0)

    way = Silent()
    proxy = await world.opened(1, log=world.log.client(way))
    way.silent = True
    asked = asyncio.ensure_future(proxy.append(request("a", 1)))
    await world.clock.advance(1.0)
    assert any(isinstance(e, Rows) for e in world.entries())
    proxy.stop()
    with pytest.raises(Unavailable):
        await world.do(_wait(asked))


async def test_a_peer_asks_through_handlers(world: World) -> None:
    proxy = await world.opened(1)
    server = world.network.server()
    await server.start(proxy.handlers())
    peers = world.network.peers("other")
    answer = await world.do(peers.call(server.address, request("a", 1), timeout_s=5))
    assert answer.outcome == "done"
    again = await world.do(peers.call(server.address, request("a", 1), timeout_s=5))
    assert decode_keys(again.keys).to_pylist() == [1]
    with pytest.raises(Invalid):
        changed = request("a", 1, fingerprint=b"other")
        await world.do(peers.call(server.address, changed, timeout_s=5))
    with pytest.raises(Fenced):
        elsewhere = request("a", 1, vchannel="dml-1_7v0")
        await world.do(peers.call(server.address, elsewhere, timeout_s=5))


async def test_a_record_that_is_taken_away_ends_the_term(world: World) -> None:
    proxy = await world.opened(1)
    await world.meta.txn((), (Delete(world.keys.sequencer(PCHANNEL)),))
    await world.until(lambda: not proxy.sequences(PCHANNEL))


async def test_its_journal_tells_what_happened(world: World) -> None:
    proxy = await world.opened(1)
    await world.do(proxy.append(request("a", 1)))
    journal = world.telemetry.journals[f"sequencer {PCHANNEL}"]
    assert "AppendAnswered" in journal.story("AppendAnswered")
