"""A client that replaces and deletes rows from several threads and knows what must be left.

**Owns** the edits, each repeated under its key until acknowledged, and the comparison with what is
stored. **Does not own** the cluster.

Each thread edits keys of its own, one edit after the other, so what is left of a key follows from
its last edit.
"""

import random
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any

import grpc
import pyarrow as pa
from pymilvus import MilvusClient, MilvusException

from support.clients.writer import AGAIN_S, CALL_S, DIM, GIVE_UP_S, Served

KEYS = 200  # of each thread
EDIT_SIZES = (1, 5, 40)
DELETES = 0.3  # of all edits


class Editor:
    """Edits until the block ends: `with Editor(cluster, "rows", seed=1) as editor:`.

    The collection is one of `support.clients.writer.create`.
    """

    def __init__(self, cluster: Served, collection: str, *, seed: int, threads: int = 3) -> None:
        self.cluster = cluster
        self.collection = collection
        self.edits = [0] * threads
        self.left: list[dict[int, str]] = [{} for _ in range(threads)]
        self._seed = seed
        self._pool = ThreadPoolExecutor(threads)
        self._ending = threading.Event()
        self._work: list[Future[None]] = []

    def __enter__(self) -> "Editor":
        self._work = [self._pool.submit(self._edit, n) for n in range(len(self.edits))]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ending.set()
        if error is None:
            for work in self._work:
                work.result()
        self._pool.shutdown()

    def _edit(self, thread: int) -> None:
        chance = random.Random(self._seed * 1000 + thread)
        client: MilvusClient | None = None
        while not self._ending.is_set():
            first, count = thread * KEYS, chance.choice(EDIT_SIZES)
            keys = sorted(chance.sample(range(first, first + KEYS), count))
            text = f"{thread}-{self.edits[thread]}"
            deletes = chance.random() < DELETES
            client = self._send(client, thread, keys, None if deletes else text)
            for key in keys:
                if deletes:
                    self.left[thread].pop(key, None)
                else:
                    self.left[thread][key] = text
            self.edits[thread] += 1
        if client is not None:
            client.close()

    def _send(
        self, client: MilvusClient | None, thread: int, keys: list[int], text: str | None
    ) -> MilvusClient:
        """The client that got it through; `text` None deletes."""
        number = self.edits[thread]
        repeat: dict[str, Any] = {
            "client_request_id": f"headrace:{self.collection}-{thread}-{number}",
            "timeout": CALL_S,
        }
        deadline = time.monotonic() + GIVE_UP_S
        while True:
            try:
                client = client or self.cluster.client(1 + (thread + number) % 2)
                if text is None:
                    client.delete(self.collection, ids=keys, **repeat)
                else:
                    rows = [{"id": k, "text": text, "vector": [float(k)] * DIM} for k in keys]
                    client.upsert(self.collection, rows, **repeat)
            except (MilvusException, grpc.RpcError):
                if time.monotonic() > deadline:
                    raise
                if client is not None:
                    client.close()
                client = None
                threading.Event().wait(AGAIN_S)
            else:
                return client

    def flush_and_compare(self) -> pa.Table:
        """Fails unless each key is stored as its last edit left it."""
        client = self.cluster.client()
        client.flush(self.collection, timeout=60)
        client.close()
        table = self.cluster.read(self.collection)
        ids, texts = table["id"].to_pylist(), table["text"].to_pylist()
        assert len(ids) == len(set(ids)), "a key is stored twice"
        stored = dict(zip(ids, texts, strict=True))
        expected = {key: text for left in self.left for key, text in left.items()}
        wrong = {
            key: (stored.get(key), expected.get(key))
            for key in stored.keys() | expected.keys()
            if stored.get(key) != expected.get(key)
        }
        assert not wrong, f"{len(wrong)} keys are not as their last edit left them: {wrong}"
        return table
