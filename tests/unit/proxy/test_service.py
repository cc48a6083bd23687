"""Proxies, their sequencers and a master service in memory: from a client's call to the log."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from google.protobuf.message_factory import GetMessageClass
from support.world.edges import Edges
from support.world.fakes.dataservice import FakeDataService
from support.world.proxy import insert_request, simple_schema

from headrace.app.wiring import RoleSettings, make_role
from headrace.binlog.body import decode_keys, decode_rows
from headrace.masterservice.settings import MasterServiceSettings
from headrace.meta.records import Role, SessionRecord, SessionState
from headrace.model import group
from headrace.model.entry import Rows
from headrace.proxy.call import ClientCall
from headrace.proxy.milvus import SERVICE, Message, pb
from headrace.proxy.service import Proxy
from headrace.rpc import messages as m

PCHANNELS = 4


class Cluster(Edges):
    """A master service and proxies of the production code; the data service is a stand-in."""

    def __init__(self) -> None:
        super().__init__()
        self.settings = RoleSettings(master_service=MasterServiceSettings(pchannels=PCHANNELS))
        self.processes: dict[str, asyncio.Task[None]] = {}
        self.roles: dict[str, Any] = {}

    def start(self, role: Role, name: str) -> Any:
        """One process."""
        instance = make_role(role, self.process(self.settings, name, validate=False))
        self.roles[name] = instance
        self.processes[name] = asyncio.create_task(instance.run())
        return instance

    async def data_service(self) -> None:
        """A leader that stores names and counts nothing."""
        await self.serve(Role.DATA_SERVICE, FakeDataService(self).handlers())

    async def call(self, proxy: Proxy, method: str, request: Message, **headers: str) -> Message:
        """One call of a client."""
        data = request.SerializeToString()
        call = ClientCall(
            method=method,
            clock=self.clock,
            deadline=self.clock.monotonic() + 60,
            headers={k.replace("_", "-"): v for k, v in headers.items()},
            request=data,
        )
        answer = await self.clock.run(proxy.methods.answer(data, call))
        return GetMessageClass(SERVICE.methods_by_name[method].output_type).FromString(answer)

    async def create(self, proxy: Proxy, name: str, shards: int) -> None:
        """A collection."""
        schema = simple_schema().SerializeToString()
        request = pb.CreateCollectionRequest(collection_name=name, schema=schema, shards_num=shards)
        status = await self.call(proxy, "CreateCollection", request)
        assert status.code == 0, status

    def entries(self) -> list[Rows]:
        """All entries with rows or deletes that stand in the log, in order a pchannel."""
        found = []
        for pchannel in self.log.pchannels():
            for message in self.log.messages(pchannel):
                found += [e for e in group.decode(message.data).entries if isinstance(e, Rows)]
        return found

    def rows(self) -> list[int]:
        """The keys of all rows that stand."""
        return sorted(
            key
            for entry in self.entries()
            if entry.rows
            for key in decode_rows(entry.body).column("id").to_pylist()
        )

    async def sequenced(self, proxy: Proxy) -> int:
        """How many pchannels a proxy says that it sequences."""
        peers = self.network.peers("test")
        status = await peers.call(proxy.address, m.StatusRequest("channels"), timeout_s=1)
        return sum(p["phase"] == "open" for p in status.details["pchannels"])

    def session(self, name: str) -> SessionRecord | None:
        """A proxy's session."""
        return self.read(self.keys.session(Role.PROXY, name), SessionRecord)

    async def reach(self, condition: Any) -> None:
        """Let time pass until it is so."""

        async def wait() -> None:
            while not await condition():
                await self.clock.sleep(0.1)

        await self.clock.run(wait(), limit_s=60)


@asynccontextmanager
async def cluster_of(proxies: int) -> AsyncIterator[tuple[Cluster, list[Proxy]]]:
    cluster = Cluster()
    await cluster.data_service()
    cluster.start(Role.MASTER_SERVICE, "master-1")
    started = [cluster.start(Role.PROXY, f"proxy-{n + 1}") for n in range(proxies)]

    async def healthy() -> bool:
        return all(p.healthy for p in started)

    async def even_share() -> bool:
        return all([await cluster.sequenced(p) == PCHANNELS // proxies for p in started])

    await cluster.reach(healthy)
    await cluster.reach(even_share)
    try:
        yield cluster, started
    finally:
        for task in cluster.processes.values():
            task.cancel()
        ended = await asyncio.gather(*cluster.processes.values(), return_exceptions=True)
        assert all(e is None or isinstance(e, asyncio.CancelledError) for e in ended), ended


async def test_rows_go_from_a_client_s_call_to_the_log() -> None:
    async with cluster_of(1) as (cluster, (proxy,)):
        await cluster.create(proxy, "c", 3)
        answer = await cluster.call(proxy, "Insert", insert_request("c", list(range(50))))
        assert answer.status.code == 0
        assert cluster.rows() == list(range(50))
        assert answer.timestamp == max(e.timestamp for e in cluster.entries())
        request = pb.DeleteRequest(collection_name="c", expr="id in [1, 2, 3]")
        answer = await cluster.call(proxy, "Delete", request)
        assert answer.delete_cnt == 3
        deletes = [k for e in cluster.entries() if e.deletes for k in decode_keys(e.delete_body)]
        assert sorted(k.as_py() for k in deletes) == [1, 2, 3]
        answer = await cluster.call(proxy, "Flush", pb.FlushRequest(collection_names=["c"]))
        assert answer.status.code == 0
        assert len(answer.coll_segIDs["c"].data) == 3


async def test_two_proxies_forward_to_each_other_and_see_each_other_s_keys() -> None:
    async with cluster_of(2) as (cluster, (one, two)):
        await cluster.create(one, "c", 4)
        request = insert_request("c", list(range(40)))
        first = await cluster.call(one, "Insert", request, idempotency_key="once")
        again = await cluster.call(two, "Insert", request, idempotency_key="once")
        assert first == again
        assert cluster.rows() == list(range(40))
        assert await cluster.sequenced(one) == await cluster.sequenced(two) == 2


async def test_a_proxy_that_dies_is_replaced_for_the_clients_of_the_other() -> None:
    async with cluster_of(2) as (cluster, (one, two)):
        await cluster.create(one, "c", 4)
        cluster.processes["proxy-2"].cancel()
        await asyncio.gather(cluster.processes.pop("proxy-2"), return_exceptions=True)
        cluster.network.kill(two.address)
        began = cluster.clock.monotonic()
        answer = await cluster.call(one, "Insert", insert_request("c", list(range(40))))
        assert answer.status.code == 0
        assert cluster.rows() == list(range(40))
        assert cluster.clock.monotonic() - began < 5


async def test_rows_follow_a_collection_made_anew_under_its_name() -> None:
    async with cluster_of(2) as (cluster, (one, two)):
        await cluster.create(one, "c", 2)
        await cluster.call(two, "Insert", insert_request("c", [1]))
        request = pb.DropCollectionRequest(collection_name="c")
        assert (await cluster.call(one, "DropCollection", request)).code == 0
        answer = await cluster.call(two, "Insert", insert_request("c", [2]))
        assert answer.status.code == 100
        await cluster.create(one, "c", 2)
        answer = await cluster.call(two, "Insert", insert_request("c", [3]))
        assert answer.status.code == 0
        assert len({e.collection_id for e in cluster.entries()}) == 2
        assert cluster.rows() == [1, 3]


async def test_a_proxy_says_how_it_is_and_gives_its_session_back() -> None:
    async with cluster_of(1) as (cluster, (proxy,)):
        session = cluster.session("proxy-1")
        assert session is not None
        assert session.state is SessionState.HEALTHY
        assert session.server_id == proxy.server_id
        status = await cluster.clock.run(
            cluster.network.peers("test").call(proxy.address, m.StatusRequest(), timeout_s=1)
        )
        assert status.state == "healthy"
        assert len(status.details["pchannels"]) == PCHANNELS
        status = await cluster.clock.run(
            cluster.network.peers("test").call(
                proxy.address, m.StatusRequest("segments"), timeout_s=1
            )
        )
        assert "pchannels" not in status.details
        flushed = m.ManifestStoredRequest(collection_id=1, timestamp=5)
        peers = cluster.network.peers("test")
        assert await peers.call(proxy.address, flushed, timeout_s=1) == m.Done()
        proxy.stop()
        await cluster.clock.run(asyncio.wait_for(cluster.processes["proxy-1"], None))
        assert not proxy.healthy
        assert cluster.session("proxy-1") is None


async def test_a_stop_before_the_services_are_found_ends_cleanly() -> None:
    cluster = Cluster()
    proxy = cluster.start(Role.PROXY, "proxy-1")

    async def registered() -> bool:
        return cluster.session("proxy-1") is not None

    await cluster.reach(registered)
    assert not proxy.healthy
    proxy.stop()
    await cluster.clock.run(asyncio.wait_for(cluster.processes["proxy-1"], None))
    assert cluster.session("proxy-1") is None
