"""A client that writes rows from several threads and remembers what was acknowledged.

**Owns** the rows, the keys under which they are repeated, and the comparison with what is stored.
**Does not own** the cluster (`support.processes.cluster`, `support.processes.command`).

Every value of a row follows from its id, so what is stored can be judged by itself: a row that is
absent, there twice, altered or never sent is told from one that is right.
"""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Protocol

import grpc
import numpy as np
import pyarrow as pa
from pymilvus import DataType, MilvusClient, MilvusException

from support.processes.waiting import wait_until

DIM = 8
TEXT_BYTES = 500
GIVE_UP_S = 90.0
AGAIN_S = 0.1
CALL_S = 10.0


def create(client: MilvusClient, name: str, shards: int = 2) -> int:
    """A collection for such rows; its id."""
    schema = client.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("text", DataType.VARCHAR, max_length=TEXT_BYTES)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=DIM)
    client.create_collection(name, schema=schema, num_shards=shards)
    return int(client.describe_collection(name)["collection_id"])


def text_of(number: int) -> str:
    """The text of a row."""
    return (f"row {number} " * TEXT_BYTES)[:TEXT_BYTES]


def rows_of(numbers: range) -> list[dict[str, Any]]:
    """The rows with these ids."""
    return [
        {"id": n, "text": text_of(n), "vector": [n + place / DIM for place in range(DIM)]}
        for n in numbers
    ]


def altered(table: pa.Table) -> list[int]:
    """The ids of the stored rows whose values are not those that were sent."""
    ids = table["id"].to_numpy()
    sent = (ids[:, None] + np.arange(DIM) / DIM).astype(np.float32)
    vectors = table["vector"].combine_chunks().flatten().to_numpy().reshape(-1, DIM)
    texts = table["text"].to_pylist()
    return [
        int(n)
        for n, text, same in zip(ids, texts, (vectors == sent).all(axis=1), strict=True)
        if text != text_of(int(n)) or not same
    ]


class Served(Protocol):
    """A cluster as its clients and its readers see it."""

    def client(self, proxy: int = 1) -> MilvusClient:
        """Of this proxy."""
        ...

    def read(self, collection: str) -> pa.Table:
        """What is stored."""
        ...


class Writer:
    """Inserts rows until the block ends; each batch is repeated under its key until acknowledged.

    `with Writer(cluster, "rows") as writer:`. Threads take their proxies in turn from `proxies`.
    """

    def __init__(
        self,
        cluster: Served,
        collection: str,
        *,
        proxies: tuple[int, ...] = (1,),
        threads: int = 2,
        batch: int = 40,
        pause_s: float = 0.01,
    ) -> None:
        self.cluster = cluster
        self.collection = collection
        self.acknowledged: set[int] = set()
        self.errors: list[str] = []
        self._proxies = proxies
        self._batch, self._pause_s = batch, pause_s
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads)
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._failed = threading.Event()  # never set: a failure is followed by a pause
        self._next = 0
        self._work: list[Future[None]] = []

    def __enter__(self) -> "Writer":
        for number in range(self._threads):
            proxy = self._proxies[number % len(self._proxies)]
            self._work.append(self._pool.submit(self._write, proxy))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.end()
        else:
            self._ending.set()

    def end(self) -> None:
        """Write nothing new; return when all that was sent is acknowledged."""
        self._ending.set()
        for work in self._work:
            work.result()
        self._pool.shutdown()

    def wait_for(self, rows: int, within_s: float = 30.0) -> float:
        """Seconds until so many more rows are acknowledged."""
        goal, began = len(self.acknowledged) + rows, time.monotonic()
        wait_until(
            lambda: len(self.acknowledged) >= goal or any(w.done() for w in self._work),
            lambda: f"{rows} more rows are acknowledged; last trouble: {self.errors[-1:]}",
            within_s,
            0.01,
        )
        for work in self._work:
            if work.done():
                work.result()
        return time.monotonic() - began

    def _write(self, proxy: int) -> None:
        client: MilvusClient | None = None
        while not self._ending.is_set():
            with self._lock:
                numbers = range(self._next, self._next + self._batch)
                self._next = numbers.stop
            client = self._insert(client, proxy, numbers)
            with self._lock:
                self.acknowledged.update(numbers)
            self._ending.wait(self._pause_s)
        if client is not None:
            client.close()

    def _insert(self, client: MilvusClient | None, proxy: int, numbers: range) -> MilvusClient:
        """The client that got it through: a new connection after each failure, since one that was
        refused waits longer and longer by itself."""
        rows = rows_of(numbers)
        key = f"headrace:{self.collection}-{numbers.start}"
        deadline = time.monotonic() + GIVE_UP_S
        while True:
            try:
                client = client or self.cluster.client(proxy)
                client.insert(self.collection, rows, timeout=CALL_S, client_request_id=key)
            except (MilvusException, grpc.RpcError) as error:
                self.errors.append(str(error))
                if time.monotonic() > deadline:
                    raise
                if client is not None:
                    client.close()
                client = None
                self._failed.wait(AGAIN_S)
            else:
                return client

    # ---- the comparison ----------------------------------------------------------------------

    def flush_and_compare(self, proxy: int = 1) -> pa.Table:
        """Flush; every acknowledged row is stored exactly once, and nothing else is.

        While rows are still being written: those that were acknowledged before the flush are there,
        and none twice.
        """
        with self._lock:
            sure = set(self.acknowledged)
        client = self.cluster.client(proxy)
        client.flush(self.collection, timeout=60)
        client.close()
        return self.compare(sure)

    def compare(self, sure: set[int] | None = None) -> pa.Table:
        """Fails unless the rows of `sure` (all that are acknowledged) are stored, none twice, none
        altered, and none beside those that were sent."""
        with self._lock:
            sure = set(self.acknowledged) if sure is None else sure
        table = self.cluster.read(self.collection)
        ids = table["id"].to_pylist()
        stored = set(ids)
        lost = sorted(sure - stored)
        assert not lost, f"{len(lost)} acknowledged rows are lost, e.g. {lost[:5]}"
        assert len(ids) == len(stored), f"{len(ids) - len(stored)} rows are stored twice"
        with self._lock:
            sent = self.acknowledged if self._ending.is_set() else set(range(self._next))
            extra = sorted(stored - sent)
        assert not extra, f"{len(extra)} rows were never acknowledged, e.g. {extra[:5]}"
        assert altered(table) == []
        return table
