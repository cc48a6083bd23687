"""What a message costs in each form that was considered: CPU microseconds a call.

An `AppendRequest` of 1 KB and of 4 MB is built, encoded, decoded and read field by field, once by
itself and once through gRPC (client and server in this process, so both sides count). All forms
take turns in one run; medians are printed. `docs/decisions/messages-as-msgpack.md` says which form
was chosen.

    python -m bench.messages [--rounds 7]

    headrace      what the roles use: `rpc.codec` and the dataclasses of `rpc.messages`
    protobuf      protobuf's classes, used directly, as a hand-written .proto gives them
    struct        a frozen msgspec.Struct in msgpack, bodies in their places
    array         the same without the names of its fields
    dataclass     a frozen dataclass in msgpack, by msgspec
    frames        a struct without bodies in msgpack, the bodies as raw frames behind it
"""

import argparse
import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields, make_dataclass
from statistics import median
from typing import Any

import grpc
import msgspec
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from headrace.rpc import codec
from headrace.rpc.messages import AppendRequest, AppendResponse

SIZES = {"1 KB": 1_000, "4 MB": 4_000_000}
CALLS = {"1 KB": 2_000, "4 MB": 40}  # a round, alone; a fourth of it through gRPC
BODY = ("body",)
OTHERS: dict[str, Any] = {
    "vchannel": "headrace-dml-3_452984613245v1",
    "collection_id": 452984613245,
    "partition_id": 452984613246,
    "version": 3,
    "part_id": b"p" * 16,
    "fingerprint": b"f" * 16,
    "first_sent": 452984613245 << 18,
    "keyed": True,
    "rows": 1_000,
    "row_bytes": 4_000_000,
    "deadline_ms": 60_000,
}
ANSWER: dict[str, Any] = {
    "outcome": "done",
    "timestamp": 452984613245 << 18,
    "message_id": 98_765,
    "rows": 1_000,
    "version": 3,
}
NAMES = (*OTHERS, *BODY)


@dataclass(frozen=True, slots=True)
class Form:
    """Messages of a form are built from values, and become bytes and messages again."""

    request: Callable[..., Any]
    response: Callable[..., Any]
    encode: Callable[[Any], bytes]
    request_of: Callable[[bytes], Any]
    response_of: Callable[[bytes], Any]


class Head(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The fields of an `AppendRequest` that are no bodies."""

    vchannel: str
    collection_id: int
    partition_id: int
    version: int
    part_id: bytes
    fingerprint: bytes
    first_sent: int
    keyed: bool
    rows: int
    deletes: int = 0
    row_bytes: int = 0
    deadline_ms: int = 60_000
    delete_partition_id: int = 0


class Request(Head, frozen=True, kw_only=True, omit_defaults=True):
    """With its bodies."""

    body: memoryview = memoryview(b"")
    delete_body: memoryview = memoryview(b"")


class ArrayRequest(Request, frozen=True, kw_only=True, array_like=True):
    """Without the names of fields on the wire."""


DataclassRequest = make_dataclass(
    "DataclassRequest",
    [
        (f.name, f.type, field() if f.required else field(default=f.default))
        for f in msgspec.structs.fields(Request)
    ],
    frozen=True,
    slots=True,
    kw_only=True,
)


@dataclass(slots=True)
class Framed:
    """A head and the bodies beside it."""

    head: Head
    body: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.head, name)


class Response(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An `AppendResponse`."""

    outcome: str
    timestamp: int = 0
    message_id: int = 0
    rows: int = 0
    deletes: int = 0
    version: int = 0
    repeated: bool = False
    keys: memoryview = memoryview(b"")
    reason: str = ""


def forms() -> dict[str, Form]:
    """All of them by name."""
    request, response = protobuf_classes()
    encode = msgspec.msgpack.Encoder().encode
    answer = msgspec.msgpack.Decoder(Response).decode
    return {
        "headrace": Form(
            AppendRequest,
            AppendResponse,
            codec.encode,
            lambda data: codec.decode(AppendRequest, data),
            lambda data: codec.decode(AppendResponse, data),
        ),
        "protobuf": Form(
            request,
            response,
            lambda message: message.SerializeToString(),
            request.FromString,
            response.FromString,
        ),
        "struct": Form(Request, Response, encode, msgspec.msgpack.Decoder(Request).decode, answer),
        "array": Form(
            ArrayRequest, Response, encode, msgspec.msgpack.Decoder(ArrayRequest).decode, answer
        ),
        "dataclass": Form(
            DataclassRequest,
            Response,
            encode,
            msgspec.msgpack.Decoder(DataclassRequest).decode,
            answer,
        ),
        "frames": Form(framed, Response, frames_of, framed_of, answer),
    }


def framed(*, body: bytes, **others: Any) -> Framed:
    """A head and a body."""
    return Framed(Head(**others), body)


_HEADS = msgspec.msgpack.Decoder(Head)
_ENCODER = msgspec.msgpack.Encoder()


def frames_of(value: Any) -> bytes:
    """Length of the head, head, body (a response has none)."""
    if not isinstance(value, Framed):
        return _ENCODER.encode(value)
    head = _ENCODER.encode(value.head)
    return b"".join([len(head).to_bytes(4, "big"), head, value.body])


def framed_of(data: bytes) -> Framed:
    """What `frames_of` wrote; the body is a view."""
    view = memoryview(data)
    end = 4 + int.from_bytes(view[:4], "big")
    return Framed(_HEADS.decode(view[4:end]), view[end:])


def protobuf_classes() -> tuple[Any, Any]:
    """Classes as protoc would generate them, with the fields that the dataclasses have."""
    file = descriptor_pb2.FileDescriptorProto(name="bench.proto", package="bench", syntax="proto3")
    codes = descriptor_pb2.FieldDescriptorProto
    types = {int: codes.TYPE_INT64, bool: codes.TYPE_BOOL, bytes: codes.TYPE_BYTES}
    for kind in (AppendRequest, AppendResponse):
        message = file.message_type.add(name=kind.__name__)
        for number, item in enumerate(fields(kind), start=1):
            default = bytes if "Body" in str(item.type) or "memoryview" in str(item.type) else str
            message.field.add(
                name=item.name,
                number=number,
                type=types.get(item.type if item.type in types else default, codes.TYPE_STRING),
                label=codes.LABEL_OPTIONAL,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    names = (f"bench.{kind.__name__}" for kind in (AppendRequest, AppendResponse))
    request, response = (pool.FindMessageTypeByName(name) for name in names)
    return message_factory.GetMessageClass(request), message_factory.GetMessageClass(response)


def read(message: Any) -> int:
    """Look at every field of a request; bytes of the body."""
    for name in NAMES:
        getattr(message, name)
    return len(message.body)


def serve(form: Form, data: bytes) -> bytes:
    """What a sequencer's side does with a request."""
    read(form.request_of(data))
    return form.encode(form.response(**ANSWER))


def cost_alone(form: Form, body: bytes, calls: int) -> float:
    """CPU microseconds of a call without transport: both messages, both sides."""
    began = time.process_time()
    for _ in range(calls):
        answer = form.response_of(serve(form, form.encode(form.request(**OTHERS, body=body))))
        assert answer.outcome == "done"
    return (time.process_time() - began) / calls * 1e6


class Service(grpc.GenericRpcHandler):  # type: ignore[type-arg]
    """One method a form."""

    def __init__(self, known: dict[str, Form]) -> None:
        self._known = known

    def service(self, handler_call_details: Any) -> Any:
        """gRPC's name for it."""
        form = self._known[handler_call_details.method.rpartition("/")[2]]

        async def answer(data: bytes, context: Any) -> bytes:
            return serve(form, data)

        return grpc.unary_unary_rpc_method_handler(answer)


async def cost_of_call(
    channel: grpc.aio.Channel, name: str, form: Form, body: bytes, calls: int
) -> float:
    """CPU microseconds of a call through gRPC, client and server together."""
    call = channel.unary_unary(f"/bench/{name}", None, None)
    began = time.process_time()
    for _ in range(calls):
        answer = form.response_of(await call(form.encode(form.request(**OTHERS, body=body))))
        assert answer.outcome == "done"
    return (time.process_time() - began) / calls * 1e6


async def measure(rounds: int) -> dict[tuple[str, str, str], list[float]]:
    """Samples by form, size and way."""
    known = forms()
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.aio.server(options=options)
    server.add_generic_rpc_handlers((Service(known),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    found: dict[tuple[str, str, str], list[float]] = {}
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        for number in range(rounds + 1):
            for size, count in SIZES.items():
                body = bytes(count)
                for name, form in known.items():
                    calls = CALLS[size]
                    alone = cost_alone(form, body, calls)
                    through = await cost_of_call(channel, name, form, body, calls // 4)
                    if number:  # the first round warms up
                        found.setdefault((name, size, "alone"), []).append(alone)
                        found.setdefault((name, size, "gRPC"), []).append(through)
    await server.stop(None)
    return found


def main() -> None:
    """Print one line a form."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    found = asyncio.run(measure(parser.parse_args().rounds))
    columns = [(size, way) for size in SIZES for way in ("alone", "gRPC")]
    print(f"{'CPU us a call':14}" + "".join(f"{f'{s} {w}':>22}" for s, w in columns))
    for name in dict.fromkeys(key[0] for key in found):
        cells = []
        for size, way in columns:
            samples = found[name, size, way]
            cells.append(f"{median(samples):.1f} ({min(samples):.1f})")
        print(f"{name:14}" + "".join(f"{cell:>22}" for cell in cells))


if __name__ == "__main__":
    main()
