"""What a client asks of the server itself."""

from support.world.clock import settle
from support.world.proxy import ProxyWorld, pb

from headrace.meta.api import Delete
from headrace.meta.records import Role


async def test_a_client_connects_and_reads_the_version() -> None:
    async with ProxyWorld() as world:
        answer = await world.call("Connect", pb.ConnectRequest())
        assert answer.status.code == 0
        assert answer.identifier > 0
        assert answer.server_info.build_tags.startswith("headrace-")
        version = (await world.call("GetVersion", pb.GetVersionRequest())).version
        assert version == answer.server_info.build_tags


async def test_health_says_which_service_has_no_leader() -> None:
    async with ProxyWorld() as world:
        answer = await world.call("CheckHealth", pb.CheckHealthRequest())
        assert answer.isHealthy
        roles = (Role.MASTER_SERVICE, Role.DATA_SERVICE)
        await world.meta.txn([], [Delete(world.keys.leader(role)) for role in roles])
        await settle()
        answer = await world.call("CheckHealth", pb.CheckHealthRequest())
        assert not answer.isHealthy
        assert len(answer.reasons) == 2


async def test_timestamps_rise() -> None:
    async with ProxyWorld() as world:
        first = await world.call("AllocTimestamp", pb.AllocTimestampRequest())
        second = await world.call("AllocTimestamp", pb.AllocTimestampRequest())
        assert 0 < first.timestamp < second.timestamp
