"""A client of the front door that sends requests which were encoded before.

**Owns** the benchmark's collection, its encoded requests and how many are in flight. **Does not
own** what is measured (`bench.cluster.insert`, `bench.cluster.failover`). An ordinary client spends
most of its time on making requests; here the server is what takes time.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import grpc
import grpc.aio
import numpy as np

from headrace.proxy.milvus import common_pb, pb, schema_pb

DIM = 768
ROWS = 1000
IN_FLIGHT = 4
NAME = "bench"
_SERVICE = "/milvus.proto.milvus.MilvusService"
_TEXT = "row {:09} of the benchmark"
_CALL_S = 60.0
_POLL_S = 0.05
_UNLIMITED = (("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1))


class Client:
    """Calls to one front door; an answer that is an error ends the benchmark."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.aio.insecure_channel(address, options=_UNLIMITED)

    async def close(self) -> None:
        """Give the connection back."""
        await self._channel.close()

    async def create(self, shards: int) -> int:
        """Make the collection; its id."""
        request = pb.CreateCollectionRequest(
            collection_name=NAME, schema=_schema().SerializeToString(), shards_num=shards
        )
        await self._call("CreateCollection", request, common_pb.Status)
        wanted = pb.DescribeCollectionRequest(collection_name=NAME)
        found = await self._call("DescribeCollection", wanted, pb.DescribeCollectionResponse)
        return int(found.collectionID)

    async def insert(self, data: bytes) -> None:
        """One encoded Insert; returns when it is acknowledged."""
        await self._send("Insert", data, pb.MutationResult)

    async def insert_all(self, requests: Sequence[bytes]) -> float:
        """Insert with `IN_FLIGHT` under way; seconds until all are acknowledged."""
        waiting = iter(requests)

        async def work() -> None:
            for data in waiting:
                await self.insert(data)

        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
        return time.perf_counter() - began

    async def begin_flush(self) -> int:
        """Ask for a flush: its timestamp. The Seals stand in the log now."""
        request = pb.FlushRequest(collection_names=[NAME])
        answer = await self._call("Flush", request, pb.FlushResponse)
        return int(answer.coll_flush_ts[NAME])

    async def flushed(self, timestamp: int) -> None:
        """Wait until the flush is done: all files stand and are listed."""
        wait = pb.GetFlushStateRequest(collection_name=NAME, flush_ts=timestamp)
        done = False
        while not done:
            await asyncio.sleep(_POLL_S)
            answer = await self._call("GetFlushState", wait, pb.GetFlushStateResponse)
            done = answer.flushed

    async def _call(self, method: str, request: Any, answer: Any) -> Any:
        return await self._send(method, request.SerializeToString(), answer)

    async def _send(self, method: str, data: bytes, answer: Any) -> Any:
        call = self._channel.unary_unary(f"{_SERVICE}/{method}")
        found = answer.FromString(await call(data, timeout=_CALL_S, wait_for_ready=True))
        status = found if answer is common_pb.Status else found.status
        if status.code:
            raise SystemExit(f"{method}: {status.reason}")
        return found


def encoded_inserts(count: int, rows: int = ROWS) -> list[bytes]:
    """Encoded Insert requests with rising keys; 3.1 MB each at 1,000 rows."""
    vectors = np.random.default_rng(7).random((rows, DIM), np.float32).reshape(-1)
    return [_encoded(range(n * rows, (n + 1) * rows), vectors) for n in range(count)]


def repeated(requests: Sequence[bytes], count: int) -> list[bytes]:
    """`count` requests out of fewer: a key may come again, and memory stays small and warm."""
    return [requests[n % len(requests)] for n in range(count)]


def body_bytes(rows: int) -> int:
    """Bytes of row bodies as MB/s counts them: key, text, vector."""
    return rows * (8 + len(_TEXT.format(0)) + 4 * DIM)


def _encoded(keys: range, vectors: Any) -> bytes:
    texts = [_TEXT.format(key) for key in keys]
    columns = [
        schema_pb.FieldData(
            field_name="id",
            type=schema_pb.Int64,
            scalars=schema_pb.ScalarField(long_data=schema_pb.LongArray(data=keys)),
        ),
        schema_pb.FieldData(
            field_name="text",
            type=schema_pb.VarChar,
            scalars=schema_pb.ScalarField(string_data=schema_pb.StringArray(data=texts)),
        ),
        schema_pb.FieldData(
            field_name="vector",
            type=schema_pb.FloatVector,
            vectors=schema_pb.VectorField(dim=DIM, float_vector=schema_pb.FloatArray(data=vectors)),
        ),
    ]
    request = pb.InsertRequest(collection_name=NAME, num_rows=len(keys), fields_data=columns)
    return bytes(request.SerializeToString())


def _schema() -> Any:
    dim = common_pb.KeyValuePair(key="dim", value=str(DIM))
    length = common_pb.KeyValuePair(key="max_length", value="256")
    return schema_pb.CollectionSchema(
        name=NAME,
        fields=[
            schema_pb.FieldSchema(name="id", data_type=schema_pb.Int64, is_primary_key=True),
            schema_pb.FieldSchema(name="text", data_type=schema_pb.VarChar, type_params=[length]),
            schema_pb.FieldSchema(
                name="vector", data_type=schema_pb.FloatVector, type_params=[dim]
            ),
        ],
    )
