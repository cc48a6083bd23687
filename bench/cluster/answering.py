"""`python -m bench.cluster.answering`: a front door that takes rows and does nothing with them.

**Owns** the answers. **Does not own** what is measured against it (`bench.cluster.file_ingest`). It
prints its port and runs until it is ended. Requests are received as bytes and not looked into.
"""

import asyncio
import itertools
import sys
from typing import Any

import grpc
import grpc.aio

from bench.cluster.client import DIM
from headrace.model.schema import DataType, Field, Schema
from headrace.model.timestamp import compose
from headrace.proxy.collections.schema_check import schema_message
from headrace.proxy.milvus import SERVICE, pb
from headrace.runtime.host import real_host

SCHEMA = Schema(
    fields=(
        Field(id=100, name="id", type=DataType.INT64, primary=True),
        Field(id=101, name="text", type=DataType.VARCHAR, max_length=256),
        Field(id=102, name="vector", type=DataType.FLOAT_VECTOR, dim=DIM),
    )
)
_OPTIONS = (("grpc.max_receive_message_length", -1),)


class Answers(grpc.GenericRpcHandler):  # type: ignore[misc, type-arg, unused-ignore]
    """Every call of the service is answered at once."""

    def __init__(self) -> None:
        self._clock = real_host().clock
        self._logical = itertools.count()
        described = pb.DescribeCollectionResponse(
            collectionID=7, created_timestamp=1, schema=schema_message("bench", SCHEMA)
        )
        self._described: bytes = described.SerializeToString()

    def service(self, handler_call_details: Any) -> Any:
        """See `grpc.GenericRpcHandler`."""
        method = handler_call_details.method.rpartition("/")[2]

        async def unary(data: bytes, context: Any) -> bytes:
            if method == "DescribeCollection":
                return self._described
            now = compose(self._clock.wall_ms(), next(self._logical) % 1000)
            kind = pb.MutationResult if method == "Insert" else pb.AllocTimestampResponse
            return bytes(kind(timestamp=now).SerializeToString())

        assert handler_call_details.method.startswith(f"/{SERVICE.full_name}/")
        return grpc.unary_unary_rpc_method_handler(unary)


async def main() -> None:
    """Serve until ended."""
    server = grpc.aio.server(options=_OPTIONS)
    server.add_generic_rpc_handlers((Answers(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())
