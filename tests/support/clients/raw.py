"""Calls that pymilvus has no method for, or would refuse to send: by its stub."""

from collections.abc import Sequence

import grpc
from pymilvus.grpc_gen.milvus_pb2_grpc import MilvusServiceStub

from headrace.proxy.milvus import Message

TIMEOUT_S = 20


def raw(
    channel: grpc.Channel,
    method: str,
    request: Message,
    metadata: Sequence[tuple[str, str]] = (),
) -> Message:
    """The answer of the front door; `grpc.RpcError` if the call itself failed."""
    call = getattr(MilvusServiceStub(channel), method)
    return call(request, timeout=TIMEOUT_S, metadata=metadata)
