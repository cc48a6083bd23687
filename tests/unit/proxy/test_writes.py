"""Insert, Upsert and Delete end as their outcomes in the logs say."""

from support.proxy_world import ProxyWorld, insert_request, simple_schema


async def test_an_insert_is_acknowledged_when_every_part_stands() -> None:
    async with ProxyWorld() as world:
        record = await world.create("c", simple_schema(), shards=2)
        answer = await world.call("Insert", insert_request("c", [1, 2, 3, 4, 5]))
        assert answer.status.code == 0, answer
        assert answer.insert_cnt == 5
        assert list(answer.IDs.int_id.data) == [1, 2, 3, 4, 5]
        rows = world.sequencer.rows(record.id)
        assert sorted((r["id"], r["v"][0]) for r in rows) == [(n + 1, float(n)) for n in range(5)]
        assert {p.vchannel for p in world.sequencer.stored.values()} == set(record.vchannels)
