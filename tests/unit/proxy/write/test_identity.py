"""A request's identity comes from its headers, its bytes and granted timestamps, never a clock."""

import pytest
from support.world.proxy import MASTER, ProxyWorld, insert_request, simple_schema

from headrace.model.errors import Invalid
from headrace.model.ids import fingerprint
from headrace.proxy.call import ClientCall
from headrace.proxy.cluster.known_time import KnownTime
from headrace.proxy.errors import Aborted, Transport
from headrace.proxy.settings import ProxySettings
from headrace.proxy.write.identity import RequestIdentity, identify


def known_of(world: ProxyWorld) -> KnownTime:
    return KnownTime(world.around, world.assembly.leaders)


def call_of(world: ProxyWorld, request: bytes = b"request", **headers: str) -> ClientCall:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    deadline = world.clock.monotonic() + 60
    return ClientCall(
        method="Insert", clock=world.clock, deadline=deadline, headers=named, request=request
    )


async def identity_of(world: ProxyWorld, known: KnownTime, **headers: str) -> RequestIdentity:
    return await world.clock.run(identify(call_of(world, **headers), known, world.around.host))


async def test_without_a_key_a_request_has_an_id_of_its_own() -> None:
    async with ProxyWorld() as world:
        known = known_of(world)
        one = await identity_of(world, known)
        two = await identity_of(world, known)
        assert not one.keyed
        assert one.request_id != two.request_id
        assert one.fingerprint != two.fingerprint
        assert one.first_sent == known.newest > 0


@pytest.mark.parametrize(
    "headers",
    [
        {"idempotency_key": "k"},
        {"client_request_id": "headrace:k"},
        {"idempotency_key": "k", "client_request_id": "headrace:k"},
        {"idempotency_key": "k", "client_request_id": "something else"},
    ],
)
async def test_a_key_comes_in_either_header(headers: dict[str, str]) -> None:
    async with ProxyWorld() as world:
        identity = await identity_of(world, known_of(world), **headers)
        assert identity.request_id == b"kk"
        assert identity.keyed
        assert identity.fingerprint == fingerprint("Insert", b"request")


@pytest.mark.parametrize(
    "headers",
    [
        {"idempotency_key": ""},
        {"idempotency_key": "x" * 257},
        {"client_request_id": "headrace:"},
        {"idempotency_key": "k", "client_request_id": "headrace:other"},
        {"headrace_first_sent": "5"},
        {"idempotency_key": "k", "headrace_first_sent": "yesterday"},
        {"idempotency_key": "k", "headrace_first_sent": "-5"},
        {"idempotency_key": "k", "headrace_first_sent": "٥"},
        {"idempotency_key": "k", "headrace_first_sent": "9" * 20},
        {"idempotency_key": "k", "headrace_first_sent": str(2**62)},
    ],
)
async def test_headers_that_make_no_sense_are_refused(headers: dict[str, str]) -> None:
    async with ProxyWorld() as world:
        with pytest.raises(Invalid, match="the header"):
            await identity_of(world, known_of(world), **headers)


async def test_a_client_says_when_it_first_sent() -> None:
    async with ProxyWorld() as world:
        known = known_of(world)
        key = {"idempotency_key": "k"}
        identity = await identity_of(world, known, **key, headrace_first_sent="77")
        assert identity.first_sent == 77
        newer = world.master_service.timestamp()
        assert newer > known.newest
        identity = await identity_of(world, known, **key, headrace_first_sent=str(newer))
        assert identity.first_sent == newer


async def test_an_old_timestamp_is_asked_for_anew() -> None:
    async with ProxyWorld() as world:
        known = known_of(world)
        first = (await identity_of(world, known)).first_sent
        assert (await identity_of(world, known)).first_sent == first
        await world.clock.advance(6)
        assert (await identity_of(world, known)).first_sent > first


async def test_while_the_master_service_is_away_the_newest_known_is_used() -> None:
    async with ProxyWorld() as world:
        known = known_of(world)
        first = (await identity_of(world, known)).first_sent
        world.network.kill(MASTER)
        await world.clock.advance(60)
        assert (await identity_of(world, known)).first_sent == first


async def test_without_any_timestamp_nothing_is_begun() -> None:
    async with ProxyWorld(settings=ProxySettings()) as world:
        world.network.kill(MASTER)
        with pytest.raises(Aborted) as caught:
            await identity_of(world, known_of(world))
        assert caught.value.transport is Transport.UNAVAILABLE


async def test_known_time_never_goes_back() -> None:
    async with ProxyWorld() as world:
        known = known_of(world)
        known.learn(10)
        known.learn(5)
        assert known.newest == 10


async def test_an_upsert_is_another_request_than_an_insert_of_the_same_bytes() -> None:
    async with ProxyWorld() as world:
        await world.create("c", simple_schema())
        rows, replacing = (insert_request("c", [1], upsert=upsert) for upsert in (False, True))
        assert rows.SerializeToString() == replacing.SerializeToString()
        await world.call("Insert", rows, idempotency_key="once")
        answer = await world.call("Upsert", replacing, idempotency_key="once")
        assert "used for another request" in answer.status.reason
