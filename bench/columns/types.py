"""What each type of column costs on its way from a request to a stored file.

**Owns** the figures by type. **Does not own** the requests (`bench.columns.type_columns`), or what
is the same for all types: network, log, order (`bench.cluster.insert` has them).

The way is the real one: an encoded Insert is parsed, checked, cut and encoded as the proxy does it,
decoded and made into a file as a data node does it, and put on disk. CPU seconds are those of this
process, for each GB of the columns as Arrow has them in memory.
"""

from pathlib import Path
from statistics import median

from bench.columns.type_columns import KINDS, NAME, Kind, request_of
from bench.figures import MB, Figure, Say
from bench.single.files import cpu_s
from headrace.binlog import insert_log
from headrace.binlog.body import decode_rows
from headrace.binlog.insert_log import RowsChunk
from headrace.meta.records import CollectionRecord, CollectionState, PartitionRecord
from headrace.model.entry import Body
from headrace.model.ids import DEFAULT_PARTITION
from headrace.model.schema import Schema
from headrace.objects.disk import Disk
from headrace.proxy.milvus import parse, pb
from headrace.proxy.settings import ProxySettings
from headrace.proxy.write.identity import RequestIdentity
from headrace.proxy.write.plan import plan_write
from headrace.proxy.write.rows_check import check_rows

FILE_BYTES = 32 * MB  # of one file, about
REQUEST_BYTES = 3 * MB  # of one request, about
TIMES_MOST = 10.0  # the cost of a float vector
IDENTITY = RequestIdentity(request_id=bytes(16), keyed=False, fingerprint=b"", first_sent=1)
LIMIT_BYTES = ProxySettings().entry_bytes_max


async def measure(directory: Path, rounds: int, say: Say) -> list[Figure]:
    """A figure for each type; the float vector, with which they are compared, comes first."""
    disk = _disk(directory)
    found: list[Figure] = []
    floats_cost = 0.0
    for kind in KINDS:
        say(f"cost of {kind.name}")
        way = _Way(kind, disk)
        samples = tuple([await way.cost() for _ in range(rounds + 1)][1:])
        floats_cost = floats_cost or median(samples)
        found.append(
            Figure(
                name=f"{kind.name}: request to file",
                samples=samples,
                unit="CPU s/GB",
                at_most=None if kind.reason else round(TIMES_MOST * floats_cost, 1),
                note=_note(kind, median(samples) / floats_cost, way),
            )
        )
    return found


def _disk(directory: Path) -> Disk:
    directory.mkdir()
    disk = Disk(directory, "bench")
    disk.check()
    return disk


def _note(kind: Kind, times: float, way: "_Way") -> str:
    told = f"{times:.1f} times the float vector; {way.told()}"
    return f"{told}; {kind.reason}" if times > TIMES_MOST else told


class _Way:
    """From requests to a file, again and again."""

    def __init__(self, kind: Kind, disk: Disk) -> None:
        rows = REQUEST_BYTES // kind.size_bytes(1)
        self._requests = max(1, FILE_BYTES // kind.size_bytes(rows))
        self._size_bytes = self._requests * kind.size_bytes(rows)
        self._data = request_of(kind, rows)
        self._record = _record(kind.schema)
        self._disk = disk
        self._proxy_s = self._file_s = 0.0

    async def cost(self) -> float:
        """CPU seconds for each GB, once all the way."""
        began = cpu_s()
        bodies = [body for _ in range(self._requests) for body in await self._sent()]
        between = cpu_s()
        self._stored(bodies)
        self._proxy_s, self._file_s = between - began, cpu_s() - between
        return (self._proxy_s + self._file_s) / (self._size_bytes / 1e9)

    def told(self) -> str:
        """How the last cost is made up."""
        parts = (s / (self._size_bytes / 1e9) for s in (self._proxy_s, self._file_s))
        return "proxy {:.2f}, file {:.2f}".format(*parts)

    async def _sent(self) -> list[Body]:
        """What a proxy makes of a request."""
        request = parse(pb.InsertRequest, self._data)
        rows = check_rows(self._record.schema, request, upsert=False)
        plan = await plan_write(
            self._record,
            "",
            rows,
            identity=IDENTITY,
            automatic=None,
            made=None,
            entry_bytes_max=LIMIT_BYTES,
        )
        return [plan.append_request(part, IDENTITY, LIMIT_BYTES).body for part in plan.parts]

    def _stored(self, bodies: list[Body]) -> None:
        """What a data node makes of them."""
        chunks, first = [], 0
        for number, body in enumerate(bodies):
            batch = decode_rows(body)
            chunks.append(RowsChunk(batch, first, number + 1))
            first += batch.num_rows
        self._disk.put("types", insert_log.encode(self._record.schema, chunks).parts)
        self._disk.delete(["types"])


def _record(schema: Schema) -> CollectionRecord:
    """One shard, so that nothing has to be spread."""
    return CollectionRecord(
        id=1,
        name=NAME,
        version=1,
        noted=1,
        state=CollectionState.CREATED,
        schema=schema,
        vchannels=("bench-0_1v0",),
        partitions=(PartitionRecord(id=1, name=DEFAULT_PARTITION, created=1),),
        created=1,
    )
