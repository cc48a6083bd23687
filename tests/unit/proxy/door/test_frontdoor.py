"""The gRPC server: bytes in, bytes out, and the statuses that clients react to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest
from support.world.proxy import ProxyWorld, insert_request, simple_schema

from headrace.model.errors import Invalid
from headrace.proxy.call import ClientCall
from headrace.proxy.door.frontdoor import FrontDoor
from headrace.proxy.errors import Aborted, Transport
from headrace.proxy.milvus import SERVICE, pb
from headrace.proxy.settings import ProxySettings
from headrace.runtime.host import real_host
from headrace.runtime.telemetry import Silent, Telemetry


class Heard(Silent):
    """A logger that keeps what it was told."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def error(self, event: str, **values: Any) -> None:
        """Keep the event."""
        self.events.append(event)


@asynccontextmanager
async def open_door(
    settings: ProxySettings | None = None,
) -> AsyncIterator[tuple[ProxyWorld, grpc.aio.Channel, Heard]]:
    host = real_host()
    wanted = settings or ProxySettings(port=0)
    async with ProxyWorld(settings=wanted, clock=host.clock, host=host) as world:
        heard = Heard()
        door = FrontDoor(world.assembly.methods, wanted, host, Telemetry(heard))
        await door.start()
        options = [("grpc.max_send_message_length", -1)]
        async with grpc.aio.insecure_channel(door.address, options=options) as channel:
            yield world, channel, heard
        await door.stop()


def method(channel: grpc.aio.Channel, name: str) -> Any:
    return channel.unary_unary(f"/{SERVICE.full_name}/{name}")


async def test_a_request_and_its_answer_go_through_as_bytes() -> None:
    async with open_door() as (world, channel, _):
        record = await world.create("c", simple_schema())
        data = insert_request("c", [1, 2]).SerializeToString()
        answer = pb.MutationResult.FromString(await method(channel, "Insert")(data))
        assert answer.insert_cnt == 2
        assert len(world.sequencer.rows(record.id)) == 2


async def test_headers_and_the_deadline_reach_the_method() -> None:
    async with open_door() as (world, channel, _):
        calls: list[ClientCall] = []

        async def seen(data: bytes, call: ClientCall) -> bytes:
            calls.append(call)
            return b""

        world.assembly.methods.answer = seen  # type: ignore[method-assign]
        await method(channel, "Insert")(b"x", timeout=7, metadata=(("idempotency-key", "k"),))
        await method(channel, "Insert")(b"x")
        await method(channel, "Insert")(b"x", timeout=500)
        assert calls[0].headers["idempotency-key"] == "k"
        assert calls[0].request == b"x"
        assert 5 < calls[0].remaining_s <= 7
        assert all(55 < call.remaining_s <= 60 for call in calls[1:])


@pytest.mark.parametrize(
    ("transport", "code"),
    [
        (Transport.UNAVAILABLE, grpc.StatusCode.UNAVAILABLE),
        (Transport.DEADLINE_EXCEEDED, grpc.StatusCode.DEADLINE_EXCEEDED),
        (Transport.UNAUTHENTICATED, grpc.StatusCode.UNAUTHENTICATED),
        (Transport.UNIMPLEMENTED, grpc.StatusCode.UNIMPLEMENTED),
    ],
)
async def test_an_aborted_call_has_its_grpc_status(
    transport: Transport, code: grpc.StatusCode
) -> None:
    async with open_door() as (world, channel, _):

        async def abort(data: bytes, call: ClientCall) -> bytes:
            raise Aborted(transport, "in words")

        world.assembly.methods.answer = abort  # type: ignore[method-assign]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await method(channel, "Insert")(b"")
        assert caught.value.code() is code
        assert caught.value.details() == "in words"


async def test_a_mistake_of_ours_is_logged_and_not_shown() -> None:
    async with open_door() as (world, channel, heard):

        async def break_down(data: bytes, call: ClientCall) -> bytes:
            raise AssertionError("secret inside")

        world.assembly.methods.answer = break_down  # type: ignore[method-assign]
        answer = pb.MutationResult.FromString(await method(channel, "Insert")(b""))
        assert answer.status.code == 65_535
        assert "secret" not in answer.status.reason
        assert heard.events == ["a call broke"]


async def test_a_message_somewhat_above_the_limit_is_refused_in_a_status() -> None:
    settings = ProxySettings(port=0, request_bytes_max=100_000, entry_bytes_max=50_000)
    async with open_door(settings) as (_, channel, _):
        answer = pb.MutationResult.FromString(await method(channel, "Insert")(bytes(150_000)))
        assert "150000 bytes, above the limit of 100000" in answer.status.reason
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await method(channel, "Insert")(bytes(250_000))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_stream_of_answers_that_is_not_served_holds_one_status() -> None:
    async with open_door() as (_, channel, _):
        stream = channel.unary_stream(f"/{SERVICE.full_name}/DumpMessages")(b"")
        answers = [pb.DumpMessagesResponse.FromString(data) async for data in stream]
        assert ["DumpMessages is not served yet" in a.status.reason for a in answers] == [True]


@pytest.mark.parametrize(
    "path",
    [
        f"/{SERVICE.full_name}/NoSuchMethod",
        "/milvus.proto.milvus.ProxyService/RegisterLink",
        f"/{SERVICE.full_name}/AlterCollectionSchema",
        f"/{SERVICE.full_name}/Dummy",
    ],
)
async def test_what_has_no_status_is_unimplemented(path: str) -> None:
    async with open_door() as (_, channel, _):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary(path)(b"")
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_port_in_use_is_an_error_that_names_the_setting() -> None:
    async with open_door() as (world, _, _):
        host, telemetry = real_host(), Telemetry(Heard())
        first = FrontDoor(world.assembly.methods, ProxySettings(port=0), host, telemetry)
        await first.start()
        port = int(first.address.rsplit(":", 1)[1])
        second = FrontDoor(world.assembly.methods, ProxySettings(port=port), host, telemetry)
        with pytest.raises(Invalid, match=f"127.0.0.1:{port}") as caught:
            await second.start()
        assert caught.value.field == "proxy.port"
        await first.stop()


async def test_a_stopped_door_refuses() -> None:
    async with open_door() as (world, _, _):
        door = FrontDoor(
            world.assembly.methods, ProxySettings(port=0), real_host(), Telemetry(Heard())
        )
        await door.start()
        await door.stop()
        await door.stop()
        async with grpc.aio.insecure_channel(door.address) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await method(channel, "GetVersion")(b"", timeout=2)
            assert caught.value.code() in (
                grpc.StatusCode.UNAVAILABLE,
                grpc.StatusCode.DEADLINE_EXCEEDED,
            )
