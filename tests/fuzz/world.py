"""A whole cluster in this process, on virtual time and in fair weather, behind its front door.

**Owns** the cluster's life, calls as bytes, flushes, and the reader over its objects. **Does not
own** requests (`fuzz.requests`) or what answers mean (`fuzz.answers`).

Everything is the production code on the in-memory edges, as in the simulator; sizes are small, so
that small requests meet limits, are cut into parts, and make several files.
"""

import asyncio
import gc
import random
import sys
import warnings
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from google.protobuf.message_factory import GetMessageClass

import headrace.reader
from headrace.app.wiring import RoleSettings
from headrace.datanode.settings import DataNodeSettings
from headrace.dataservice.settings import DataServiceSettings
from headrace.masterservice.settings import MasterServiceSettings
from headrace.meta.records import Role
from headrace.objects.arrow_files import memory_file_system
from headrace.proxy.call import ClientCall
from headrace.proxy.milvus import SERVICE, pb
from headrace.proxy.service import Proxy
from headrace.proxy.settings import ProxySettings
from headrace.reader import jsonl
from headrace.sequencer.settings import SequencerSettings
from headrace.sim.cluster import Cluster, Process
from headrace.sim.faults import Chances, Weather
from headrace.sim.host import VirtualClock
from headrace.sim.loop import VirtualLoop
from headrace.sim.trace import Trace

CALL_S = 20.0  # a client's deadline, in virtual seconds
ANSWER_S = 25.0  # by then the front door must have answered
FLUSH_S = 120.0
REQUEST_BYTES_MAX = 400_000
ENTRY_BYTES_MAX = 20_000

SETTINGS = RoleSettings(
    master_service=MasterServiceSettings(pchannels=2),
    data_service=DataServiceSettings(manifest_interval_s=2.0),
    data_node=DataNodeSettings(sync_bytes=30_000, sync_age_s=5.0),
    proxy=ProxySettings(
        request_bytes_max=REQUEST_BYTES_MAX,
        entry_bytes_max=ENTRY_BYTES_MAX,
        offload_bytes=20_000,
        deadline_s_max=CALL_S,
    ),
    sequencer=SequencerSettings(entry_bytes_max=ENTRY_BYTES_MAX, segment_bytes_max=100_000),
)


class Hung(Exception):
    """No answer came in time."""


class World:
    """One cluster: call, flush, read. Closed by `close`."""

    def __init__(self, seed: int) -> None:
        self.loop = VirtualLoop()
        chance = random.Random(seed)
        self._trace = Trace(keep=True)
        weather = Weather(random.Random(chance.getrandbits(64)), Chances())
        weather.is_calm = True

        async def begin() -> Cluster:
            cluster = Cluster(chance=chance, weather=weather, settings=SETTINGS, trace=self._trace)
            cluster.start(Role.MASTER_SERVICE, "master-service-1")
            cluster.start(Role.DATA_SERVICE, "data-service-1")
            cluster.start(Role.DATA_NODE, "data-node-1")
            cluster.start(Role.PROXY, "proxy-1")
            for _ in range(600):
                await asyncio.sleep(0.1)
                proxy = cluster.processes["proxy-1"].instance
                if proxy is not None and proxy.healthy:
                    return cluster
            raise Hung("the cluster did not become healthy")

        self.cluster = self.loop.run_until_complete(begin())
        self.files = memory_file_system(self.cluster.objects)

    def close(self) -> None:
        """End all processes in order; those of a broken cluster are thrown away where they stand,
        which is no news."""

        async def end() -> None:
            for name in ("proxy-1", "data-node-1", "data-service-1", "master-service-1"):
                process = self.cluster.processes[name]
                if process.runs and process.instance and process.task:
                    process.instance.stop()
                    await asyncio.wait([process.task], timeout=30)

        self.loop.run_until_complete(end())
        hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
        self.loop.close()
        del self.cluster
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            gc.collect()
        sys.unraisablehook = hook

    # ---- calls -------------------------------------------------------------------------------

    def call(self, method: str, data: bytes, headers: Mapping[str, str] | None = None) -> Any:
        """The answer to these bytes; whatever the front door raises, or `Hung`."""
        output = SERVICE.methods_by_name[method].output_type
        answer = self.loop.run_until_complete(self._call(method, data, headers or {}))
        return GetMessageClass(output).FromString(answer)

    def ask(self, method: str, request: Any) -> Any:
        """The answer to a message."""
        return self.call(method, request.SerializeToString())

    async def _call(self, method: str, data: bytes, headers: Mapping[str, str]) -> bytes:
        process: Process = self.cluster.processes["proxy-1"]
        instance = process.instance
        assert isinstance(instance, Proxy)
        clock = VirtualClock()

        async def answer() -> bytes:
            call = ClientCall(
                method=method,
                clock=clock,
                deadline=clock.monotonic() + CALL_S,
                headers=headers,
                request=data,
            )
            return await instance.methods.answer(data, call)

        try:
            async with asyncio.timeout(ANSWER_S):
                answered: bytes = await self.cluster.inside(process, answer)
        except TimeoutError:
            raise Hung(f"{method} had no answer after {ANSWER_S} s") from None
        return answered

    @property
    def broken(self) -> list[str]:
        """What broke in any process so far: must stay empty."""
        errors = [line for line in self._trace.lines if " ERROR " in line]
        ended = [f"{n} has ended" for n, p in self.cluster.processes.items() if not p.runs]
        return [*self.cluster.broken, *self.loop.callbacks_broken, *errors, *ended]

    def story(self, last: int = 40) -> list[str]:
        """The last lines that the processes said."""
        return self._trace.lines[-last:]

    # ---- files -------------------------------------------------------------------------------

    def flush(self, names: list[str]) -> None:
        """Have all rows of these collections in files."""
        flushed = self.ask("Flush", pb.FlushRequest(collection_names=names))
        assert flushed.status.code == 0, flushed.status.reason
        end = self.loop.time() + FLUSH_S
        for name in names:
            request = pb.GetFlushStateRequest(
                collection_name=name, flush_ts=flushed.coll_flush_ts[name]
            )
            while not self.ask("GetFlushState", request).flushed:
                if self.loop.time() > end:
                    raise Hung(f"{name} was not flushed after {FLUSH_S} s")
                self.loop.run_until_complete(asyncio.sleep(0.3))

    def read(self, name: str) -> pa.Table:
        """The rows as the reader gives them; as JSON Lines they can be written, too."""
        snapshot = headrace.reader.open(self.files, name)
        table = snapshot.to_table()
        written = 0
        for batch in table.to_batches():
            written += sum(line.count(b"\n") for line in jsonl.lines(batch, snapshot.fields))
        assert written == len(table) == snapshot.count(), f"{name}: {written} lines"
        return table
