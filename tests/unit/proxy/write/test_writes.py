"""Insert, Upsert and Delete end as their outcomes in the logs say."""

from typing import Any

import pytest
from support.world.proxy import CountingOffload, ProxyWorld, insert_request, pb, simple_schema

from headrace.binlog.body import decode_rows
from headrace.meta.api import Delete, Put
from headrace.meta.records import CollectionState
from headrace.model.errors import Corrupt, Fenced, Unavailable
from headrace.model.ids import part_id
from headrace.proxy.errors import Aborted, Transport
from headrace.proxy.milvus import Message
from headrace.proxy.settings import ProxySettings
from headrace.proxy.write.key_hash import hash_keys, shards_of
from headrace.rpc import messages as m
from headrace.rpc.api import NotSent


async def insert(world: ProxyWorld, keys: list[Any], **headers: Any) -> Message:
    return await world.clock.run(world.call("Insert", insert_request("c", keys), **headers))


async def aborted(world: ProxyWorld, request: Message, **headers: Any) -> Aborted:
    with pytest.raises(Aborted) as caught:
        await world.clock.run(world.call("Insert", request, **headers))
    return caught.value


# ---- what is appended -----------------------------------------------------------------------


async def test_an_insert_is_acknowledged_when_every_part_stands() -> None:
    async with ProxyWorld() as world:
        record = await world.create("c", simple_schema(), shards=2)
        answer = await insert(world, [1, 2, 3, 4, 5])
        assert answer.status.code == 0, answer
        assert answer.insert_cnt == 5
        assert answer.acknowledged
        assert list(answer.IDs.int_id.data) == [1, 2, 3, 4, 5]
        assert list(answer.succ_index) == [0, 1, 2, 3, 4]
        assert answer.timestamp == max(world.sequencer.timestamps.values())
        rows = world.sequencer.rows(record.id)
        assert sorted((r["id"], r["v"][0]) for r in rows) == [(n + 1, float(n)) for n in range(5)]
        assert {p.vchannel for p in world.sequencer.stored.values()} == set(record.vchannels)


async def test_a_row_stands_in_the_shard_of_its_key() -> None:
    for keys in (list(range(100)), [f"key-{n}" for n in range(100)]):
        async with ProxyWorld() as world:
            kind = "VarChar" if isinstance(keys[0], str) else "Int64"
            record = await world.create("c", simple_schema(key=kind), shards=3)
            assert (await insert(world, keys)).status.code == 0
            for part in world.sequencer.stored.values():
                found = decode_rows(part.body).column("id")
                wanted = record.vchannels.index(part.vchannel)
                assert set(shards_of(hash_keys(found), 3).tolist()) == {wanted}
            assert len(world.sequencer.rows(record.id)) == 100


async def test_parts_carry_what_the_log_needs() -> None:
    async with ProxyWorld() as world:
        record = await world.create("c", simple_schema())
        known = world.master_service.timestamp()
        await insert(world, [1, 2], idempotency_key="k")
        (part,) = world.sequencer.stored.values()
        assert part.collection_id == record.id
        assert part.partition_id == record.partitions[0].id
        assert part.version == 1
        assert part.part_id == part_id(record.id, b"kk", 0)
        assert part.keyed
        assert part.first_sent > known
        assert part.rows == 2
        assert part.deletes == 0
        assert part.row_bytes == len(part.body)
        assert 0 < part.deadline_ms <= 10_000


async def test_a_large_request_becomes_several_entries_a_shard() -> None:
    settings = ProxySettings(entry_bytes_max=4096)
    async with ProxyWorld(settings=settings) as world:
        record = await world.create("c", simple_schema(dim=64), shards=2)
        request = insert_request("c", list(range(100)), dim=64)
        answer = await world.call("Insert", request)
        assert answer.status.code == 0, answer
        assert len(world.sequencer.stored) >= 8
        assert all(len(p.body) <= 4096 for p in world.sequencer.stored.values())
        assert sorted(r["id"] for r in world.sequencer.rows(record.id)) == list(range(100))


async def test_a_large_request_is_checked_in_a_thread_with_the_same_end() -> None:
    offload = CountingOffload()
    settings = ProxySettings(offload_bytes=1000)
    async with ProxyWorld(settings=settings, offload=offload) as world:
        record = await world.create("c", simple_schema(), shards=2)
        assert (await insert(world, [1])).status.code == 0
        assert offload.calls == 0
        assert (await insert(world, list(range(2, 102)))).status.code == 0
        assert offload.calls == 2
        assert len(world.sequencer.rows(record.id)) == 101


async def test_an_upsert_hides_and_writes_in_one_entry_and_the_last_row_wins() -> None:
    async with ProxyWorld() as world:
        record = await world.create("c", simple_schema(), shards=2)
        request = insert_request("c", [7, 8, 7, 9, 7], upsert=True)
        answer = await world.call("Upsert", request)
        assert answer.status.code == 0
        assert answer.upsert_cnt == 3
        assert list(answer.IDs.int_id.data) == [8, 9, 7]
        assert list(answer.succ_index) == [0, 1, 2]
        rows = world.sequencer.rows(record.id)
        assert sorted((r["id"], r["v"][0]) for r in rows) == [(7, 4.0), (8, 1.0), (9, 3.0)]
        assert sorted(world.sequencer.deleted(record.id)) == [7, 8, 9]
        for part in world.sequencer.stored.values():
            assert part.rows == part.deletes


async def test_automatic_keys_are_answered_as_they_stand() -> None:
    async with ProxyWorld() as world:
        record = await world.create("c", simple_schema(auto=True), shards=3)
        request = insert_request("c", None, rows=50)
        answer = await world.call("Insert", request)
        ids = list(answer.IDs.int_id.data)
        assert len(set(ids)) == 50
        rows = {r["id"]: r["v"][0] for r in world.sequencer.rows(record.id)}
        assert [rows[key] for key in ids] == [float(n) for n in range(50)]


async def test_a_keyed_repeat_answers_the_first_automatic_keys() -> None:
    async with ProxyWorld() as world:
        await world.create("c", simple_schema(auto=True), shards=3)
        request = insert_request("c", None, rows=20)
        first = await world.call("Insert", request, idempotency_key="once")
        stood = dict(world.sequencer.stored)
        again = await world.call("Insert", request, idempotency_key="once")
        assert list(again.IDs.int_id.data) == list(first.IDs.int_id.data)
        assert again.timestamp == first.timestamp
        assert world.sequencer.stored == stood


async def test_an_upsert_into_automatic_keys_replaces_the_rows_and_gives_new_keys() -> None:
    async with ProxyWorld() as world:
        record = await world.create("c", simple_schema(auto=True), shards=2)
        answer = await world.call("Upsert", insert_request("c", [5, 6, 7], upsert=True))
        ids = list(answer.IDs.int_id.data)
        assert answer.upsert_cnt == 3
        assert not set(ids) & {5, 6, 7}
        assert sorted(world.sequencer.deleted(record.id)) == [5, 6, 7]
        for part in world.sequencer.stored.values():
            keys = decode_rows(part.body).column("id")
            place = record.vchannels.index(part.vchannel)
            assert set(shards_of(hash_keys(keys), 2).tolist()) == {place}


async def test_a_delete_names_its_keys_in_their_shards() -> None:
    async with ProxyWorld() as world:
        record = await world.create("c", simple_schema(), shards=2)
        request = pb.DeleteRequest(collection_name="c", expr="id in [1, 2, 3, 4, 4]")
        answer = await world.call("Delete", request)
        assert answer.status.code == 0
        assert answer.delete_cnt == 4
        assert answer.timestamp > 0
        assert sorted(world.sequencer.deleted(record.id)) == [1, 2, 3, 4]
        assert all(p.rows == 0 and not len(p.body) for p in world.sequencer.stored.values())


# ---- what is refused ------------------------------------------------------------------------


async def test_an_unknown_collection_partition_or_database_is_not_found() -> None:
    async with ProxyWorld() as world:
        answer = await insert(world, [1])
        assert (answer.status.code, answer.status.error_code) == (100, 4)
        await world.create("c", simple_schema())
        request = insert_request("c", [1])
        request.partition_name = "p"
        answer = await world.call("Insert", request)
        assert answer.status.code == 200
        answer = await insert(world, [1], dbname="other")
        assert answer.status.code == 800
        request = insert_request("c", [1])
        request.partition_name, request.db_name = "_default", "default"
        assert (await world.call("Insert", request)).status.code == 0


async def test_a_refusal_by_the_cache_is_read_anew_first() -> None:
    """The copy of the catalog lags; a client that knows more than it is not refused."""
    async with ProxyWorld() as world:
        await world.create("c", simple_schema())
        wider = simple_schema(fields=({"name": "x", "data_type": "Int8", "nullable": True},))
        await world.lag()
        await world.call("DropCollection", pb.DropCollectionRequest(collection_name="c"))
        newer = await world.create("c", wider)
        request = insert_request("c", [1])
        item = request.fields_data.add(field_name="x", type=2)
        item.scalars.int_data.data.append(5)
        assert (await world.call("Insert", request)).status.code == 0
        assert world.sequencer.rows(newer.id)[0]["x"] == 5


async def test_rows_made_for_another_schema_are_told_to_describe_anew() -> None:
    async with ProxyWorld() as world:
        record = await world.create("c", simple_schema())
        request = insert_request("c", [1])
        request.schema_timestamp = record.created + 1
        answer = await world.call("Insert", request)
        assert (answer.status.code, answer.status.error_code) == (109, 62)
        request.schema_timestamp = record.created
        assert (await world.call("Insert", request)).status.code == 0


# ---- the collection changes meanwhile -------------------------------------------------------


async def test_a_stale_part_is_encoded_anew_under_the_same_id() -> None:
    async with ProxyWorld() as world:
        record = await world.create("c", simple_schema(), shards=2)
        await world.lag()
        await world.change(world.collection(record.id))
        answer = await insert(world, [1, 2, 3, 4])
        assert answer.status.code == 0
        assert {p.version for p in world.sequencer.asked} == {1, 2}
        assert {p.version for p in world.sequencer.stored.values()} == {2}
        assert {p.part_id for p in world.sequencer.asked} == set(world.sequencer.stored)


async def test_the_rest_of_a_request_follows_its_collection_through_a_rename() -> None:
    async with ProxyWorld() as world:
        record = await world.create("c", simple_schema(), shards=2)
        append = world.sequencer.append
        first = True

        async def rename_after_the_first(request: m.AppendRequest) -> m.AppendResponse:
            nonlocal first
            done = await append(request)
            if first:
                first = False
                await world.master_service.rename(m.RenameCollectionRequest("c", "d"))
            return done

        world.sequencer.append = rename_after_the_first  # type: ignore[method-assign]
        answer = await insert(world, list(range(10)))
        assert answer.status.code == 0
        assert sorted(r["id"] for r in world.sequencer.rows(record.id)) == list(range(10))


async def test_a_request_cut_off_by_a_drop_says_so() -> None:
    async with ProxyWorld() as world:
        await world.create("c", simple_schema(), shards=2)
        append = world.sequencer.append

        async def drop_after_the_first(request: m.AppendRequest) -> m.AppendResponse:
            done = await append(request)
            if done.outcome == "done" and len(world.sequencer.stored) == 1:
                await world.master_service.drop(m.DropCollectionRequest("c"))
            return done

        world.sequencer.append = drop_after_the_first  # type: ignore[method-assign]
        answer = await insert(world, list(range(10)))
        assert answer.status.code == 100
        assert "was dropped while" in answer.status.reason


async def test_a_request_of_which_nothing_stands_goes_to_the_new_collection_of_the_name() -> None:
    async with ProxyWorld() as world:
        record = await world.create("c", simple_schema(), shards=2)
        await world.lag()
        await world.master_service.drop(m.DropCollectionRequest("c"))
        newer = await world.create("c", simple_schema(), shards=3)
        answer = await insert(world, list(range(10)))
        assert answer.status.code == 0
        assert world.sequencer.rows(record.id) == []
        assert len(world.sequencer.rows(newer.id)) == 10


async def test_automatic_keys_stay_when_a_part_is_encoded_anew() -> None:
    async with ProxyWorld() as world:
        record = await world.create("c", simple_schema(auto=True), shards=2)
        await world.lag()
        await world.change(world.collection(record.id))
        answer = await world.call("Insert", insert_request("c", None, rows=10))
        assert sorted(r["id"] for r in world.sequencer.rows(record.id)) == sorted(
            answer.IDs.int_id.data
        )


async def test_a_stale_part_whose_new_version_is_not_there_is_repeated() -> None:
    async with ProxyWorld() as world:
        await world.create("c", simple_schema())
        world.sequencer.outcomes = [m.AppendResponse(outcome="stale", version=2)] * 3
        assert (await insert(world, [1])).status.code == 0
        assert len(world.sequencer.asked) == 4


# ---- trouble --------------------------------------------------------------------------------


async def test_a_part_is_repeated_under_its_id_until_it_stands() -> None:
    async with ProxyWorld() as world:
        await world.create("c", simple_schema())
        world.sequencer.outcomes = [
            Fenced("replaced"),
            Unavailable("lost"),
            NotSent("refused"),
            m.AppendResponse(outcome="refused", reason="busy"),
        ]
        assert (await insert(world, [1])).status.code == 0
        assert len(world.sequencer.asked) == 5
        assert len({p.part_id for p in world.sequencer.asked}) == 1
        assert len({bytes(p.body) for p in world.sequencer.asked}) == 1


@pytest.mark.parametrize(
    "refusal",
    [
        NotSent("refused"),
        Fenced("not me"),
        m.AppendResponse(outcome="refused", reason="the log does not answer"),
    ],
)
async def test_what_was_surely_not_sent_ends_unavailable_after_a_while(refusal: Any) -> None:
    async with ProxyWorld() as world:
        await world.create("c", simple_schema(), shards=2)
        world.sequencer.outcomes = [refusal] * 1000
        error = await aborted(world, insert_request("c", [1, 2, 3]))
        assert error.transport is Transport.UNAVAILABLE
        assert "nothing was written" in error.message
        assert 9 < world.clock.monotonic() < 12


async def test_a_log_without_room_is_said_at_once() -> None:
    async with ProxyWorld() as world:
        await world.create("c", simple_schema(), shards=2)
        full = m.AppendResponse(outcome="full", reason="log disk almost full")
        world.sequencer.outcomes = [full] * 2
        answer = await insert(world, [1, 2, 3])
        assert (answer.status.code, answer.status.error_code) == (7, 54)
        assert "log disk almost full" in answer.status.reason
        assert world.clock.monotonic() < 1


async def test_what_may_stand_is_repeated_to_the_deadline() -> None:
    async with ProxyWorld() as world:
        await world.create("c", simple_schema())
        world.sequencer.outcomes = [Unavailable("lost"), *[NotSent("refused")] * 1000]
        error = await aborted(world, insert_request("c", [1]))
        assert error.transport is Transport.DEADLINE_EXCEEDED
        assert "the outcome is not known" in error.message
        assert world.clock.monotonic() >= 60


async def test_one_part_that_stands_keeps_the_others_trying_to_the_deadline() -> None:
    async with ProxyWorld() as world:
        record = await world.create("c", simple_schema(), shards=2)
        append = world.sequencer.append

        async def half(request: m.AppendRequest) -> m.AppendResponse:
            if request.vchannel == record.vchannels[0]:
                raise NotSent("refused")
            return await append(request)

        world.sequencer.append = half  # type: ignore[method-assign]
        error = await aborted(world, insert_request("c", list(range(10))))
        assert error.transport is Transport.DEADLINE_EXCEEDED
        assert world.clock.monotonic() >= 60


async def test_a_client_s_shorter_deadline_counts() -> None:
    async with ProxyWorld() as world:
        await world.create("c", simple_schema())
        world.sequencer.outcomes = [Unavailable("lost")] * 1000
        error = await aborted(world, insert_request("c", [1]), timeout_s=3.0)
        assert error.transport is Transport.DEADLINE_EXCEEDED
        assert 3 <= world.clock.monotonic() < 3.5


async def test_a_sequencer_that_never_answers_is_asked_again() -> None:
    async with ProxyWorld() as world:
        await world.create("c", simple_schema())
        append = world.sequencer.append
        asked = 0

        async def silent_once(request: m.AppendRequest) -> m.AppendResponse:
            nonlocal asked
            asked += 1
            if asked == 1:
                await world.clock.sleep(1000)
            return await append(request)

        world.sequencer.append = silent_once  # type: ignore[method-assign]
        assert (await insert(world, [1])).status.code == 0
        assert 10 <= world.clock.monotonic() < 12


async def test_a_corrupt_channel_is_a_failure_in_words() -> None:
    async with ProxyWorld() as world:
        await world.create("c", simple_schema())
        world.sequencer.outcomes = [Corrupt("headrace-dml-0 has lost its end")]
        answer = await insert(world, [1])
        assert answer.status.code == 65_535
        assert "has lost its end" in answer.status.reason


# ---- keys -----------------------------------------------------------------------------------


async def test_a_key_makes_repeats_by_the_client_harmless() -> None:
    async with ProxyWorld() as world:
        record = await world.create("c", simple_schema(), shards=2)
        first = await insert(world, [1, 2, 3], client_request_id="headrace:once")
        again = await insert(world, [1, 2, 3], idempotency_key="once")
        assert first == again
        assert len(world.sequencer.rows(record.id)) == 3


async def test_a_key_used_for_another_request_is_refused() -> None:
    async with ProxyWorld() as world:
        await world.create("c", simple_schema())
        await insert(world, [1], idempotency_key="once")
        answer = await insert(world, [2], idempotency_key="once")
        assert answer.status.code == 1100
        assert "idempotency key was used for another request" in answer.status.reason


@pytest.mark.parametrize("key", [{}, {"idempotency_key": "once"}])
async def test_an_upsert_into_automatic_keys_answers_the_keys_of_the_rows_that_stand(
    key: dict[str, str],
) -> None:
    async with ProxyWorld() as world:
        record = await world.create("c", simple_schema(auto=True), shards=2)
        request = insert_request("c", [7, 8, 7, 9, 7], upsert=True)
        answers = [await world.call("Upsert", request, **key) for _ in range(2)]
        made = [list(a.IDs.int_id.data) for a in answers]
        for ids in made:
            assert len(ids) == len(set(ids)) == 3
        stored = {row["id"] for row in world.sequencer.rows(record.id)}
        assert stored == {i for ids in made for i in ids}
        assert (made[0] == made[1]) is bool(key)


async def test_without_a_key_every_request_is_new() -> None:
    async with ProxyWorld() as world:
        record = await world.create("c", simple_schema())
        await insert(world, [1], client_request_id="something else")
        await insert(world, [1], client_request_id="something else")
        assert len(world.sequencer.rows(record.id)) == 2
        assert not any(p.keyed for p in world.sequencer.stored.values())


async def test_a_request_too_old_to_tell_says_so() -> None:
    async with ProxyWorld() as world:
        await world.create("c", simple_schema())
        world.sequencer.outcomes = [m.AppendResponse(outcome="unknown")]
        answer = await insert(world, [1], idempotency_key="k", headrace_first_sent="5")
        assert answer.status.code == 65_535
        assert "look its rows up" in answer.status.reason
        assert world.sequencer.asked[0].first_sent == 5


async def test_a_collection_that_is_being_made_or_dropped_is_not_there() -> None:
    async with ProxyWorld() as world:
        record = await world.create("c", simple_schema())
        for state in (CollectionState.CREATING, CollectionState.DROPPING, CollectionState.DROPPED):
            await world.change(world.collection(record.id), state=state)
            assert (await insert(world, [1])).status.code == 100
        key = world.keys.name("c")
        await world.meta.txn([], [Delete(key), Put(world.keys.name("d"), str(record.id).encode())])
        await world.change(world.collection(record.id), state=CollectionState.CREATED, name="d")
        assert (await insert(world, [1])).status.code == 100
