"""Every call is treated in one way: token, size, message, database, method, Status."""

import asyncio
import base64

import pytest
from google.protobuf.message_factory import GetMessageClass
from support.world.proxy import ProxyWorld, insert_request, simple_schema

from headrace.model.errors import NotFound
from headrace.proxy.call import ClientCall
from headrace.proxy.door.unserved import INSTEAD, WITHOUT_STATUS
from headrace.proxy.errors import Aborted, Refusal, Transport, status_of
from headrace.proxy.milvus import SERVICE, pb
from headrace.proxy.settings import ProxySettings

EVERY = [method.name for method in SERVICE.methods]


def call_of(world: ProxyWorld, method: str, **headers: str) -> ClientCall:
    return ClientCall(method=method, clock=world.clock, deadline=60.0, headers=headers)


def test_every_method_is_served_or_says_what_to_use_instead() -> None:
    served = set(ProxyWorld().assembly.served)
    assert served | set(INSTEAD) == set(EVERY)
    assert not served & set(INSTEAD)
    assert set(INSTEAD) >= WITHOUT_STATUS


@pytest.mark.parametrize("method", sorted(set(INSTEAD) - WITHOUT_STATUS))
async def test_a_method_that_is_not_served_says_so_in_a_status(method: str) -> None:
    world = ProxyWorld()
    data = await world.assembly.methods.answer(b"", call_of(world, method))
    answer = GetMessageClass(SERVICE.methods_by_name[method].output_type).FromString(data)
    status = answer if answer.DESCRIPTOR.name == "Status" else answer.status
    assert status.code == 10
    assert status.reason == f"{method} is not served yet; {INSTEAD[method]}"


@pytest.mark.parametrize("method", sorted(WITHOUT_STATUS))
async def test_where_there_is_no_status_the_method_is_unimplemented(method: str) -> None:
    world = ProxyWorld()
    with pytest.raises(Aborted) as caught:
        await world.assembly.methods.answer(b"", call_of(world, method))
    assert caught.value.transport is Transport.UNIMPLEMENTED
    assert INSTEAD[method] in caught.value.message


async def test_four_methods_at_most_have_no_status() -> None:
    for name in EVERY:
        output = SERVICE.methods_by_name[name].output_type
        if name not in WITHOUT_STATUS:
            assert output.name == "Status" or "status" in output.fields_by_name, name


async def test_a_malformed_message_is_refused_in_words() -> None:
    world = ProxyWorld()
    for method in world.assembly.served:
        data = await world.assembly.methods.answer(b"\xff\xff\xff", call_of(world, method))
        answer = GetMessageClass(SERVICE.methods_by_name[method].output_type).FromString(data)
        status = answer if answer.DESCRIPTOR.name == "Status" else answer.status
        assert status.code == 1100, method
        assert "is not a" in status.reason


async def test_a_message_above_the_limit_is_refused_in_words() -> None:
    async with ProxyWorld(
        settings=ProxySettings(request_bytes_max=5000, entry_bytes_max=4000)
    ) as world:
        await world.create("c", simple_schema(dim=256))
        answer = await world.call("Insert", insert_request("c", list(range(5)), dim=256))
        assert answer.status.code == 1100
        assert "above the limit of 5000" in answer.status.reason


async def test_a_proxy_with_too_much_under_way_asks_to_come_again() -> None:
    async with ProxyWorld(settings=ProxySettings(under_way_bytes_max=1000)) as world:
        await world.create("c", simple_schema())
        request = insert_request("c", list(range(30)))
        assert request.ByteSize() > 500
        first, second = await asyncio.gather(
            world.call("Insert", request), world.call("Insert", request)
        )
        assert first.status.code == 0
        assert (second.status.code, second.status.retriable) == (8, True)
        assert "again, later" in second.status.reason
        assert (await world.call("Insert", request)).status.code == 0


async def test_a_token_is_checked_on_every_call_when_it_is_set() -> None:
    world = ProxyWorld(settings=ProxySettings(token="root:secret"))
    right = base64.b64encode(b"root:secret").decode()
    for method in EVERY:
        for headers in ({}, {"authorization": "wrong"}, {"authorization": "root:secret"}):
            with pytest.raises(Aborted) as caught:
                await world.assembly.methods.answer(b"", call_of(world, method, **headers))
            assert caught.value.transport is Transport.UNAUTHENTICATED
    for method in ("Connect", "GetVersion"):
        data = await world.assembly.methods.answer(b"", call_of(world, method, authorization=right))
        assert data


async def test_a_token_is_ignored_when_none_is_set() -> None:
    world = ProxyWorld()
    assert await world.assembly.methods.answer(
        b"", call_of(world, "GetVersion", authorization="anything")
    )


async def test_only_the_default_database_is_there() -> None:
    async with ProxyWorld() as world:
        await world.create("c", simple_schema())
        for request in (
            pb.DescribeCollectionRequest(collection_name="c", db_name="other"),
            pb.DescribeCollectionRequest(collection_name="c"),
        ):
            answer = await world.call("DescribeCollection", request, dbname="other")
            assert answer.status.code == 800
        request = pb.DescribeCollectionRequest(collection_name="c", db_name="default")
        answer = await world.call("DescribeCollection", request, dbname="default")
        assert answer.status.code == 0


async def test_a_store_that_is_away_is_unavailable() -> None:
    async with ProxyWorld() as world:
        world.trouble.away = True
        with pytest.raises(Aborted) as caught:
            await world.call(
                "DescribeCollection", pb.DescribeCollectionRequest(collection_name="x")
            )
        assert caught.value.transport is Transport.UNAVAILABLE


def test_our_own_trouble_never_reaches_a_client() -> None:
    world = ProxyWorld()
    for method in EVERY:
        if method in WITHOUT_STATUS:
            continue
        data = world.assembly.methods.broken(call_of(world, method))
        answer = GetMessageClass(SERVICE.methods_by_name[method].output_type).FromString(data)
        status = answer if answer.DESCRIPTOR.name == "Status" else answer.status
        assert status.reason == Refusal.BROKEN.value.text


def test_a_status_has_the_older_code_beside_the_newer() -> None:
    status = status_of(Refusal.COLLECTION_NOT_FOUND(name="c"))
    assert (status.code, status.error_code) == (100, 4)
    assert status.extra_info["is_input_error"] == "true"
    assert status_of(Refusal.ROWS_NONE()).error_code == 5
    for ours in (Refusal.BROKEN(), Refusal.FAILED(reason="x")):
        assert not status_of(ours).extra_info


def test_every_sentence_can_be_filled_in() -> None:
    for refusal in Refusal:
        names = {part.split("}")[0] for part in refusal.value.text.replace("{{", "").split("{")[1:]}
        values = {name.removesuffix("!r"): "x" for name in names}
        error = refusal(**values)
        assert error.message
        assert error.code == refusal.value.code
        assert isinstance(error, NotFound) == refusal.value.absent
