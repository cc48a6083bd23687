"""The front door on a real socket, for the cases that go through one.

**Owns** the calls over gRPC and the verdict on their answers. **Does not own** the door
(`support.world.open_door`): behind it stand plain services in memory, which keep what they are
given.
"""

from dataclasses import replace
from types import TracebackType
from typing import Any

import grpc
from google.protobuf.message_factory import GetMessageClass
from support.world.open_door import OpenDoor

from fuzz.answers import Wrong, refusal_of
from fuzz.batch import CASE_S, Case, base_schemas
from fuzz.world import SETTINGS
from headrace.proxy.door.frontdoor import RECEIVED_BYTES_FACTOR
from headrace.proxy.milvus import SERVICE, pb

TAKEN_BYTES = RECEIVED_BYTES_FACTOR * SETTINGS.proxy.request_bytes_max


class Door:
    """A client of raw bytes."""

    def __init__(self) -> None:
        self._door = OpenDoor(replace(SETTINGS.proxy, port=0))

    def __enter__(self) -> "Door":
        self._door.open()
        self._channel = grpc.insecure_channel(
            self._door.address, options=[("grpc.max_receive_message_length", -1)]
        )
        for number, schema in enumerate(base_schemas()):
            request = pb.CreateCollectionRequest(
                collection_name=f"base_{number}",
                schema=schema.SerializeToString(),
                shards_num=2,
            )
            self.judge(Case("CreateCollection", "made", request.SerializeToString()))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._channel.close()
        self._door.close()

    def judge(self, case: Case) -> None:
        """Send it; `Wrong` when there is no answer, or one that must never be."""
        answer: Any
        sent = [(k, v) for k, v in case.headers.items() if v.isascii() and v.isprintable()]
        call = self._channel.unary_unary(f"/{SERVICE.full_name}/{case.method}")
        try:
            data = call(case.data, timeout=CASE_S, metadata=sent)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and len(case.data) > TAKEN_BYTES:
                return  # gRPC does not even read it
            raise Wrong(f"through a socket: {error}") from error
        output = GetMessageClass(SERVICE.methods_by_name[case.method].output_type)
        answer = output.FromString(data)
        status = answer if case.method == "CreateCollection" else answer.status
        refusal_of(status, "headrace-first-sent" in case.headers)
