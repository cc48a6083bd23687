"""What a candidate and a new sequencer read."""

from collections.abc import AsyncIterator

import pytest
from support.players.sequencer import (
    COLLECTION,
    OTHER_VCHANNEL,
    PCHANNEL,
    VCHANNEL,
    at,
    collection,
    ddl,
    item,
    noted,
    part,
)
from support.world.sequencer import World

from headrace.meta.api import Delete
from headrace.meta.records import CollectionState, PChannelRecord, SequencerRecord
from headrace.model.entry import Digest, DigestItem, Entry, Rows, TermStart, Tick
from headrace.model.errors import Corrupt, Unavailable
from headrace.model.group import Group, encode
from headrace.model.timestamp import Timestamp
from headrace.sequencer.failover.reading import FailoverReading
from headrace.sequencer.requests.window import span
from headrace.sequencer.settings import SequencerSettings

LEAD = span(60)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    await made.begin()
    yield made
    await made.end()


def reading(world: World) -> FailoverReading:
    return FailoverReading(
        PCHANNEL, world.keys, world.meta, world.log.client(), world.clock, SequencerSettings()
    )


def write(world: World, *entries: Entry) -> int:
    """One message; its id."""
    data = b"".join(encode(Group(1, world.log.last(PCHANNEL), entries)))
    return world.log.append(PCHANNEL, data, world.log.last(PCHANNEL))


def rows(name: str, timestamp: Timestamp) -> Rows:
    request = part(name)
    return Rows(
        vchannel=VCHANNEL,
        timestamp=timestamp,
        collection_id=COLLECTION,
        partition_id=1,
        version=1,
        part_id=request.part_id,
        fingerprint=request.fingerprint,
        first_sent=request.first_sent,
        keyed=False,
        rows=1,
        body=request.body,
    )


def stands(name: str, message_id: int, index: int = 0) -> DigestItem:
    return item(part(name), message_id, index)


# ---- the end -----------------------------------------------------------------------------------


async def test_the_end_of_an_empty_log_is_message_zero(world: World) -> None:
    end = await reading(world).end()
    assert (end.message_id, end.timestamp, end.mark) == (0, 0, 0)


async def test_the_end_is_the_last_timestamp_of_the_last_message(world: World) -> None:
    write(world, Tick(at(1)))
    write(world, rows("a", at(2)), rows("b", at(3)))
    end = await reading(world).end()
    assert (end.message_id, end.timestamp) == (2, at(3))


async def test_the_mark_is_the_highest_message_that_was_stored_or_truncated(world: World) -> None:
    write(world, Tick(at(1)))
    await world.checkpoint(1)
    assert (await reading(world).end()).mark == 1
    record = PChannelRecord(vchannels=(VCHANNEL, OTHER_VCHANNEL), truncation_mark=9)
    await world.put(world.keys.pchannel(PCHANNEL), record)
    assert (await reading(world).end()).mark == 8


async def test_a_last_message_that_is_no_group_is_corrupt(world: World) -> None:
    world.log.append(PCHANNEL, b"nonsense", 0)
    with pytest.raises(Corrupt):
        await reading(world).end()


# ---- the meta store ------------------------------------------------------------------------------


async def test_the_meta_store_names_who_is_wanted_and_every_vchannel(world: World) -> None:
    await world.assignment(4)
    view = await reading(world).meta()
    assert view.wanted == 4
    assert [v.vchannel for v in view.vchannels] == [VCHANNEL, OTHER_VCHANNEL]
    assert all(v.noted == noted(1, 0) and v.recorded is None for v in view.vchannels)


async def test_without_a_record_nobody_is_wanted(world: World) -> None:
    assert (await reading(world).meta()).wanted == 0


async def test_what_is_recorded_and_not_noted_is_found(world: World) -> None:
    await world.collection(collection(2, noted=1), ddl(2))
    view = await reading(world).meta()
    assert all(v.recorded == ddl(2) and v.noted == noted(1, 0) for v in view.vchannels)


async def test_a_collection_that_is_only_recorded_has_nothing_noted(world: World) -> None:
    record = collection(1, noted=0, state=CollectionState.CREATING)
    await world.collection(record, ddl(1))
    view = await reading(world).meta()
    assert all(v.recorded == ddl(1) and v.noted is None for v in view.vchannels)


async def test_a_vchannel_whose_tombstone_is_gone_is_left_out(world: World) -> None:
    await world.meta.txn((), (Delete(world.keys.collection(COLLECTION)),))
    assert (await reading(world).meta()).vchannels == ()


async def test_a_recorded_version_without_its_ddl_is_corrupt(world: World) -> None:
    await world.collection(collection(3, noted=1))
    with pytest.raises(Corrupt):
        await reading(world).meta()


async def test_everything_is_read_at_the_revision_of_the_assignment(world: World) -> None:
    """A DDL recorded between the reads is not half seen."""

    class Between:
        def __init__(self, world: World) -> None:
            self.world, self.done = world, False

        async def before(self, call: object) -> None:
            return None

        async def after(self, call: object) -> None:
            if not self.done:
                self.done = True
                await self.world.collection(collection(2, noted=1), ddl(2))

    hooked = world.store.client("hooked", Between(world))  # type: ignore[arg-type]
    reader = FailoverReading(
        PCHANNEL, world.keys, hooked, world.log.client(), world.clock, SequencerSettings()
    )
    record = SequencerRecord(server_id=4, node_name="p4", address="x:1")
    await world.put(world.keys.sequencer(PCHANNEL), record)
    view = await reader.meta()
    assert all(v.record.version == 1 and v.recorded is None for v in view.vchannels)


# ---- the window ----------------------------------------------------------------------------------


async def test_the_tail_is_read_to_the_beginning_of_a_young_log(world: World) -> None:
    write(world, TermStart(at(1), 1))
    write(world, rows("a", at(2)), Tick(at(3)), rows("b", at(4)))
    term = write(world, TermStart(at(5), 2))
    past = await reading(world).window(term, 0)
    assert sorted(past.items, key=lambda i: i.index) == [stands("a", 2), stands("b", 2, 2)]
    assert past.items == past.recent
    assert (past.digest, past.since, past.floor, past.messages_since) == (0, 0, 0, 2)


async def test_what_is_far_enough_back_is_not_read(world: World) -> None:
    write(world, rows("old", at(1)))
    write(world, rows("a", at(1000)))
    term = write(world, TermStart(at(1001), 2))
    past = await reading(world).window(term, at(500))
    assert past.items == (stands("a", 2),)
    assert (past.since, past.floor) == (1, 0)


async def test_the_tail_ends_at_the_last_digest_whose_ids_are_taken_from_it(world: World) -> None:
    write(world, TermStart(at(1), 1))
    write(world, rows("a", at(2)))
    first = write(world, Digest(at(3), 0, 0, 0, (stands("a", 2),)))
    write(world, rows("b", at(4)))
    second = write(world, Digest(at(5), first, 0, first, (stands("b", 4),)))
    write(world, rows("c", at(6)))
    term = write(world, TermStart(at(7), 2))
    past = await reading(world).window(term, 0)
    assert {i.part_id for i in past.items} == {part(n).part_id for n in "abc"}
    assert past.recent == (stands("c", 6),)
    assert (past.digest, past.since, past.messages_since) == (second, second, 1)


async def test_digests_that_are_far_enough_back_end_the_chain(world: World) -> None:
    first = write(world, Digest(at(3), 0, 0, 0, (stands("a", 2),)))
    second = write(world, Digest(at(1000), first, 0, first, (stands("b", 2),)))
    term = write(world, TermStart(at(1001), 2))
    past = await reading(world).window(term, at(500))
    assert past.items == (stands("b", 2),)
    past = await reading(world).window(term, at(1000))
    assert (past.items, past.digest) == ((), second)


async def test_of_what_was_trimmed_nothing_is_known(world: World) -> None:
    write(world, rows("a", at(1)))
    write(world, rows("b", at(2)))
    term = write(world, TermStart(at(3), 2))
    world.log.truncate(PCHANNEL, 2)
    past = await reading(world).window(term, 0)
    assert past.items == (stands("b", 2),)
    assert past.floor == at(2) + LEAD


async def test_a_chain_whose_beginning_was_trimmed_raises_the_floor(world: World) -> None:
    first = write(world, Digest(at(1), 0, 0, 0, ()))
    write(world, rows("a", at(2)))
    write(world, Digest(at(3), first, 0, first, (stands("a", 2),)))
    term = write(world, TermStart(at(4), 2))
    world.log.truncate(PCHANNEL, 3)
    past = await reading(world).window(term, 0)
    assert past.items == (stands("a", 2),)
    assert past.floor == at(3) + LEAD


async def test_the_floor_of_whoever_began_the_chain_still_holds(world: World) -> None:
    write(world, Digest(at(3), 0, at(2), 0, ()))
    term = write(world, TermStart(at(4), 2))
    assert (await reading(world).window(term, 0)).floor == at(2)


async def test_a_digest_that_names_what_is_none_is_corrupt(world: World) -> None:
    write(world, Tick(at(1)))
    write(world, Digest(at(2), 1, 0, 1, ()))
    term = write(world, TermStart(at(3), 2))
    with pytest.raises(Corrupt):
        await reading(world).window(term, 0)


async def test_timestamps_that_do_not_rise_are_corrupt(world: World) -> None:
    write(world, Tick(at(2)))
    write(world, Tick(at(2)))
    term = write(world, TermStart(at(3), 2))
    with pytest.raises(Corrupt):
        await reading(world).window(term, 0)


async def test_absence_is_no_outcome_of_a_read(world: World) -> None:
    """A message that stands and is not found for long means "again", never "there is none"."""

    class Blind:
        async def carry(self, operation: str, pchannel: str, apply):  # type: ignore[no-untyped-def]
            return None if operation == "get" else apply()

        async def pause(self) -> None:
            raise AssertionError("not used")

    write(world, rows("a", at(1)))
    term = write(world, TermStart(at(3), 2))
    blind = FailoverReading(
        PCHANNEL,
        world.keys,
        world.meta,
        world.log.client(Blind()),
        world.clock,
        SequencerSettings(),
    )
    with pytest.raises(Unavailable):
        await world.do(blind.window(term, 0))
