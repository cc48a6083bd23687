"""The demo's client: inserts rows with pymilvus, deletes some, replaces some, and records it all.

It is an ordinary program with `MilvusClient` in threads; every batch carries an idempotency key, so
that a repeat after trouble doubles nothing.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headrace.cli.demo.corpus import DIM, NAME_BYTES_MAX, Corpus
from headrace.cli.demo.verify import Ledger

BATCH_ROWS = 1000
IN_FLIGHT = 3
DELETE_EVERY = 97  # of the rows of a batch, one in so many is deleted later
UPSERT_EVERY = 89
SHARDS = 2
TRIES = 8
GATE = 0.55  # of the rows: with the batch under way, the kill comes before two thirds
GATE_S = 60.0


@dataclass
class Stream:
    """Streams `rows` rows into a collection; `progress(rows)` is called as they are
    acknowledged.
    """

    uri: str
    collection: str
    corpus: Corpus
    rows: int
    progress: Callable[[int], None] = lambda rows: None
    ledger: Ledger = field(init=False)
    sent: int = 0
    body_bytes: int = 0
    insert_s: float = 0.0

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.rows)
        self.killed = threading.Event()  # rows beyond GATE wait for the kill
        self._lock = threading.Lock()

    def create(self) -> int:
        """The collection: 2 shards, explicit schema; its id."""
        from pymilvus import DataType

        with self._client() as client:
            schema = client.create_schema()
            schema.add_field("id", DataType.INT64, is_primary=True)
            schema.add_field("module", DataType.VARCHAR, max_length=NAME_BYTES_MAX)
            schema.add_field("name", DataType.VARCHAR, max_length=NAME_BYTES_MAX)
            schema.add_field("text", DataType.VARCHAR, max_length=16_000)
            schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=DIM)
            client.create_collection(self.collection, schema=schema, num_shards=SHARDS)
            return int(client.describe_collection(self.collection)["collection_id"])

    def _client(self) -> "closing[Any]":
        from pymilvus import MilvusClient

        return closing(MilvusClient(self.uri))

    def run(self) -> None:
        """Insert all rows, then delete some and replace some; raises what a client would see."""
        with self._client() as client:
            began = time.perf_counter()
            starts = range(0, self.rows, BATCH_ROWS)
            with ThreadPoolExecutor(IN_FLIGHT) as pool:
                for _ in pool.map(lambda start: self._insert(client, start), starts):
                    pass
            self.insert_s = time.perf_counter() - began
            self._delete(client, np.arange(13, self.rows, DELETE_EVERY))
            self._upsert(client, np.arange(7, self.rows, UPSERT_EVERY))

    def flush(self) -> float:
        """Flush and wait until it is done; seconds."""
        with self._client() as client:
            began = time.perf_counter()
            client.flush(self.collection)
            return time.perf_counter() - began

    def _insert(self, client: Any, start: int) -> None:
        numbers = np.arange(start, min(start + BATCH_ROWS, self.rows))
        if start >= GATE * self.rows:
            self.killed.wait(GATE_S)
        rows = self._rows_of(numbers, 0)
        _repeat(partial(client.insert, self.collection, rows), f"insert-{start}")
        with self._lock:
            self.ledger.wrote(numbers, 0)
            self.sent += len(numbers)
            self.body_bytes += _bytes_of(rows)
        self.progress(len(numbers))

    def _delete(self, client: Any, numbers: NDArray[np.int64]) -> None:
        for part in np.array_split(numbers, max(1, len(numbers) // BATCH_ROWS)):
            ids = part.tolist()
            _repeat(partial(client.delete, self.collection, ids=ids), f"d-{ids[0]}")
            self.ledger.deleted(part)

    def _upsert(self, client: Any, numbers: NDArray[np.int64]) -> None:
        for part in np.array_split(numbers, max(1, len(numbers) // BATCH_ROWS)):
            rows = self._rows_of(part, 1)
            _repeat(partial(client.upsert, self.collection, rows), f"upsert-{part[0]}")
            self.ledger.wrote(part, 1)

    def _rows_of(self, numbers: NDArray[np.int64], edition: int) -> list[dict[str, Any]]:
        vectors = self.corpus.vectors_of(numbers, np.full(len(numbers), edition))
        texts = self.corpus.texts
        return [
            {
                "id": number,
                "module": texts[number % len(texts)].module,
                "name": texts[number % len(texts)].name,
                "text": self.corpus.text(number, edition),
                "embedding": vectors[place],
            }
            for place, number in enumerate(numbers.tolist())
        ]


def _bytes_of(rows: list[dict[str, Any]]) -> int:
    texts = sum(len(r["text"]) + len(r["module"]) + len(r["name"]) for r in rows)
    return texts + len(rows) * (8 + 4 * DIM)


def _repeat(send: Callable[..., Any], key: str) -> None:
    """Send with an idempotency key, again after an error that may pass: nothing is doubled."""
    from pymilvus import MilvusException

    for attempt in range(TRIES):
        try:
            send(client_request_id=f"headrace:demo-{key}")
        except MilvusException as error:
            if attempt + 1 == TRIES or error.code in (100, 1100):
                raise
            time.sleep(0.5 * (attempt + 1))
        else:
            return
