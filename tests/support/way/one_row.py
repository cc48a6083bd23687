"""Sends one row through a cluster in this process, on a real log and a real disk, and prints what
it met: `python -m support.way.one_row DIRECTORY`. See `tests/e2e/pages/test_a_rows_way.py`.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np

from support.way.trace import RowTrace, install

MARK = np.frombuffer(b"a row's way thro", "<f4")  # four floats that no other bytes contain
TRACE = RowTrace(MARK.tobytes())
install(TRACE)

import grpc  # noqa: E402

from headrace.app.servers.nats import NatsServer  # noqa: E402
from headrace.app.wiring import RoleSettings, make_role  # noqa: E402
from headrace.frame.surroundings import Surroundings  # noqa: E402
from headrace.masterservice.settings import MasterServiceSettings  # noqa: E402
from headrace.meta.keys import Keys  # noqa: E402
from headrace.meta.memory import MemoryMetaServer  # noqa: E402
from headrace.meta.records import Role  # noqa: E402
from headrace.objects.local import LocalObjects  # noqa: E402
from headrace.proxy.door.frontdoor import FrontDoor  # noqa: E402
from headrace.proxy.door.methods import Methods  # noqa: E402
from headrace.proxy.milvus import SERVICE, Message, common_pb, pb, schema_pb  # noqa: E402
from headrace.proxy.settings import ProxySettings  # noqa: E402
from headrace.rpc.memory import MemoryNetwork  # noqa: E402
from headrace.runtime.host import real_host  # noqa: E402
from headrace.runtime.telemetry import silent  # noqa: E402
from support.servers.nats import open_log  # noqa: E402
from support.world.proxy import simple_schema  # noqa: E402

NAME, WITHIN_S = "way", 60.0
SETTINGS = RoleSettings(
    master_service=MasterServiceSettings(pchannels=1),
    proxy=ProxySettings(host="127.0.0.1", port=0),
)


class Cluster:
    """One process of each role; only the log, the disk and the door are real."""

    def __init__(self, directory: Path) -> None:
        self._host = real_host()
        self._meta = MemoryMetaServer(self._host.clock)
        self._network = MemoryNetwork(self._host.clock)
        self._nats = NatsServer(directory / "nats")
        self._store = directory / "store"
        self._roles: list[Any] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._doors: list[FrontDoor] = []

    async def start(self) -> str:
        """All roles healthy; the address of the front door."""
        await self._nats.start()
        self._store.mkdir()
        for role in Role:
            await self._start(role)
        await _until(self._healthy)
        return self._doors[0].address

    async def _healthy(self) -> bool:
        return all(role.healthy for role in self._roles)

    async def _start(self, role: Role) -> None:
        around = Surroundings(
            settings=SETTINGS,
            node_name=f"{role.value}-1",
            host=self._host,
            telemetry=silent(),
            keys=Keys(),
            meta=self._meta.client(role.value),
            log=await open_log(self._nats),
            objects=LocalObjects(self._store, host=self._host),
            peers=self._network.peers(role.value),
            server=self._network.server(),
        )
        instance = make_role(role, around, self._door)
        self._roles.append(instance)
        self._tasks.append(asyncio.create_task(instance.run()))

    def _door(self, methods: Methods) -> FrontDoor:
        self._doors.append(FrontDoor(methods, SETTINGS.proxy, self._host, silent()))
        return self._doors[-1]

    async def stop(self) -> None:
        """Everything ends."""
        for role in reversed(self._roles):
            role.stop()
        await asyncio.gather(*self._tasks)
        await self._nats.stop()


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not await condition():
        assert time.monotonic() < deadline, f"not within {WITHIN_S} s: {condition.__name__}"
        await asyncio.sleep(0.02)


def _row() -> Message:
    request = pb.InsertRequest(collection_name=NAME, num_rows=1)
    key = request.fields_data.add(field_name="id", type=schema_pb.DataType.Value("Int64"))
    key.scalars.long_data.data.append(1)
    vector = request.fields_data.add(field_name="v", type=schema_pb.DataType.Value("FloatVector"))
    vector.vectors.dim = len(MARK)
    vector.vectors.float_vector.data.extend(MARK.tolist())
    return request


async def main(directory: Path) -> None:
    """One row in, until it is flushed."""
    cluster = Cluster(directory)
    channel = grpc.aio.insecure_channel(await cluster.start())

    async def call(method: str, request: Message, answer: Any) -> Any:
        send = channel.unary_unary(f"/{SERVICE.full_name}/{method}")
        return answer.FromString(await send(request.SerializeToString()))

    schema = simple_schema(dim=len(MARK)).SerializeToString()
    create = pb.CreateCollectionRequest(collection_name=NAME, schema=schema, shards_num=1)
    assert not (await call("CreateCollection", create, common_pb.Status)).code
    with TRACE.watching():
        assert not (await call("Insert", _row(), pb.MutationResult)).status.code
        flush = pb.FlushRequest(collection_names=[NAME])
        flushed = (await call("Flush", flush, pb.FlushResponse)).coll_flush_ts[NAME]
        state = pb.GetFlushStateRequest(collection_name=NAME, flush_ts=flushed)

        async def is_flushed() -> bool:
            answer = await call("GetFlushState", state, pb.GetFlushStateResponse)
            return bool(answer.flushed)

        await _until(is_flushed)
    await channel.close()
    await cluster.stop()
    print(json.dumps({"forms": list(TRACE.forms), "modules": list(TRACE.modules)}))


asyncio.run(main(Path(sys.argv[1])))
