"""One source into one collection: read, write down, send, acknowledge; and go on after a kill.

A batch is written down before it is sent and marked after it was acknowledged. What a restart finds
written down and not marked is sent again under its key: for the 10 minutes of the sequencers'
window it gets its first result. Afterwards the server says that it cannot tell; then everything is
flushed, the batch's rows are looked up in the files by their keys, and those that are absent are
sent under a new key.

Reading, encoding and writing down happen in a thread, while earlier batches are on their way.
"""

import asyncio
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headrace.ingest.batches import Batch, Batches
from headrace.ingest.client.connection import Connection, Described, OutcomeUnknown
from headrace.ingest.client.retry import Retries
from headrace.ingest.client.wire import insert_request
from headrace.ingest.faults import BadRow
from headrace.ingest.lookup import absent, places_of, runs_of
from headrace.ingest.options import Options
from headrace.ingest.resume.journal import Sent, UploadJournal
from headrace.ingest.resume.rejects import Rejects
from headrace.ingest.sources.source import RowSource
from headrace.model.errors import Invalid, Unavailable
from headrace.model.timestamp import Timestamp
from headrace.runtime.host import Host
from headrace.runtime.race import race

KNOWN_S = 20.0  # how old the newest known timestamp may be when a batch is written down
STOP_S = 5.0  # that batches under way get after Ctrl-C
WINDOW_MINUTES = 10
_ROW = re.compile(r"row (\d+)")  # as the front door's sentences name one


class Listener(Protocol):
    """Is told how the ingest goes on."""

    def began(self, source: RowSource, journal: UploadJournal) -> None:
        """The next source."""

    def acknowledged(self, rows: int, size_bytes: int, position: int) -> None:
        """A batch stands; `position` is how far its source was read for it."""

    def note(self, text: str) -> None:
        """Something that the user should know."""


@dataclass(frozen=True, slots=True, eq=False)
class Shipment:
    """A batch as it is sent."""

    sent: Sent
    batch: Batch
    data: bytes


@dataclass(kw_only=True, eq=False)
class Upload:
    """See the module. `stop` may be called at any time."""

    options: Options
    source: RowSource
    described: Described
    connection: Connection
    journal: UploadJournal
    rejects: Rejects | None
    host: Host
    listener: Listener
    rows_sent: int = 0  # acknowledged in this run
    bytes_sent: int = 0

    def __post_init__(self) -> None:
        self._retries = Retries(self.host, self.listener.note, self.options.retry_s)
        self._stopping = asyncio.Event()
        self._known: Timestamp = 0
        self._learned = 0.0
        self._looking = asyncio.Lock()
        self._taking = asyncio.Lock()
        self._shipping: Iterator[Shipment] = iter(())
        self._whole = False  # the source has ended

    @property
    def stopped(self) -> bool:
        return self._stopping.is_set()

    def stop(self) -> None:
        """Send nothing new; `run` returns when what is under way has ended, or soon after."""
        self._stopping.set()

    async def run(self) -> None:
        """Until every row stands, or it is stopped; then the journal says how far it came.

        Raises what it can not go on after: `BadRow`, `Invalid`, `Unavailable` after `retry_s`
        without an answer.
        """
        self._shipping = self._shipments()
        workers = [asyncio.create_task(self._work()) for _ in range(self.options.in_flight)]
        await race(asyncio.wait(workers), self._stopping.wait())
        await asyncio.wait(workers, timeout=STOP_S)
        for task in workers:
            task.cancel()
        for outcome in await asyncio.gather(*workers, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome
        if self._whole and all(s.done for s in self.journal.sent):
            rows = sum(s.rows for s in self.journal.sent)
            await self.host.offload.run(lambda: self.journal.finish(rows))

    async def _work(self) -> None:
        """One of several: take the next batch, see it through."""
        try:
            while not self.stopped:
                async with self._taking:
                    if self.stopped or self._whole:
                        return
                    await self._learn()
                    shipment = await self.host.offload.run(self._next)
                    if shipment is None:
                        self._whole = True
                        return
                await self._deliver(shipment)
        except BaseException:
            self.stop()
            raise

    def _next(self) -> Shipment | None:
        try:
            return next(self._shipping, None)
        except OSError as error:
            reason = error.strerror or str(error)
            raise Unavailable(f"{self.source.name} cannot be read: {reason}") from error
        except pa.ArrowException as error:
            raise Invalid(f"{self.source.name} cannot be read: {error}") from error

    # ---- what is sent ------------------------------------------------------------------------

    def _shipments(self) -> Iterator[Shipment]:
        """In order: those that a run before left open, then new ones, each written down. Blocks."""
        journal, schema = self.journal, self.described.schema
        open_ = [s for s in journal.sent if journal.verify or not s.done]
        end = journal.sent[-1].first + journal.sent[-1].rows if journal.sent else 0
        start = open_[0].first if open_ else end
        pieces = self.source.read(schema, start)
        batches = Batches(pieces, schema, self.options.limits, start)
        for sent in list(journal.sent):
            if sent.first < start:
                continue
            batch = batches.next(sent.rows)
            shipment = self._again(batch, sent)
            if not sent.done:
                yield shipment
        while (batch := batches.next()) is not None:
            yield self._new(batch)

    def _again(self, batch: Batch | None, sent: Sent) -> Shipment:
        if batch is not None and batch.rows == sent.rows:
            if sent.done and not self.journal.verify:
                return Shipment(sent, batch, b"")
            runs = sent.runs
            data = self._encode(batch, None if runs is None else places_of(runs))
            if zlib.crc32(data) == sent.crc:
                return Shipment(sent, batch, data)
        last = sent.first + sent.rows
        raise Invalid(
            f"{self.source.name} has changed since its ingest began: rows {sent.first + 1:,} to "
            f"{last:,} were sent as they are no more. Put the first content back to go on, or "
            f"remove {self.journal.path} to begin anew (rows sent before stay in the collection)"
        )

    def _new(self, batch: Batch) -> Shipment:
        if batch.unfitting:
            if self.rejects is None:
                worst = batch.unfitting[0]
                raise BadRow(self.source.name, worst.row, worst.fault)
            self.rejects.write(self.source.name, batch.unfitting)
        data = self._encode(batch, None)
        sent = Sent(
            batch=len(self.journal.sent),
            first=batch.first,
            rows=batch.rows,
            count=batch.count,
            attempt=0,
            first_sent=self._known,
            crc=zlib.crc32(data),
            rejects_bytes=self.rejects.size_bytes if self.rejects else 0,
        )
        self.journal.send(sent)
        return Shipment(sent, batch, data)

    def _encode(self, batch: Batch, places: npt.NDArray[np.int64] | None) -> bytes:
        columns = batch.columns
        if places is not None:
            columns = tuple(c.take(pa.array(places)) for c in columns)
        elif batch.count == 0:
            return b""
        options = self.options
        return insert_request(
            options.collection, batch.fields, columns, partition=options.partition
        )

    # ---- one batch ---------------------------------------------------------------------------

    async def _deliver(self, shipment: Shipment) -> None:
        now: Shipment | None = shipment
        while now is not None:
            if now.sent.count:
                try:
                    self._newer(await self._insert(now))
                except OutcomeUnknown:
                    now = await self._resolve(now)
                    continue
            break
        sent = shipment.sent
        self.journal.done(sent.batch)
        self.rows_sent += sent.rows
        self.bytes_sent += len(shipment.data)
        self.listener.acknowledged(sent.rows, len(shipment.data), shipment.batch.position)

    async def _insert(self, shipment: Shipment) -> Timestamp:
        sent = shipment.sent
        key = sent.key(self.journal.run)
        try:
            return await self._retries.call(
                lambda: self.connection.insert(shipment.data, key, sent.first_sent)
            )
        except Invalid as error:
            raise Invalid(f"{self._blamed(shipment, error.message)}: {error.message}") from error

    def _blamed(self, shipment: Shipment, reason: str) -> str:
        """The row that a refusal names by its place in the request, else the rows of that."""
        sent, named = shipment.sent, _ROW.search(reason)
        places = np.arange(shipment.batch.count) if sent.runs is None else places_of(sent.runs)
        if named is not None and int(named[1]) < len(places):
            row = shipment.batch.row_of(int(places[int(named[1])]))
            return f"{self.source.name}, row {row + 1:,}, was refused as {named[0]} of its request"
        last = sent.first + sent.rows
        return f"{self.source.name}, rows {sent.first + 1:,} to {last:,} were refused"

    async def _resolve(self, shipment: Shipment) -> Shipment | None:
        """What is left to be sent of a batch that nobody can tell about any more; None = nothing.

        The server appends nothing of it from here on, so what is not in the files after a flush
        will never be.
        """
        column, sent = self._told_apart_by(), shipment.sent
        store = self.options.store
        if store is None:
            raise Invalid(
                f"rows {sent.first + 1:,} to {sent.first + sent.rows:,} of {self.source.name} "
                f"were sent more than {WINDOW_MINUTES} minutes ago; whether they stand is to be "
                "looked up in the files: name their store with --store URI or --data-dir DIR"
            )
        self.listener.note(
            f"rows {sent.first + 1:,} to {sent.first + sent.rows:,} were sent more than "
            f"{WINDOW_MINUTES} minutes ago: they are looked up in the files"
        )
        places = np.arange(shipment.batch.count) if sent.runs is None else places_of(sent.runs)
        values = shipment.batch.column(column).take(pa.array(places))
        async with self._looking:
            until = await self._retries.flush(self.connection, self.options.collection)
            missing = await self.host.offload.run(
                lambda: absent(
                    store,
                    self.described.id,
                    column,
                    values,
                    since=sent.first_sent,
                    until=until,
                )
            )
        standing = len(values) - len(missing)
        self.listener.note(f"{standing:,} of them stand, {len(missing):,} do not")
        if len(missing) == 0:
            return None
        await self._learn()
        return await self.host.offload.run(lambda: self._anew(shipment, places[missing]))

    def _anew(self, shipment: Shipment, places: npt.NDArray[np.int64]) -> Shipment:
        data = self._encode(shipment.batch, places)
        sent = replace(
            shipment.sent,
            count=len(places),
            attempt=shipment.sent.attempt + 1,
            first_sent=self._known,
            crc=zlib.crc32(data),
            runs=runs_of(places),
        )
        self.journal.send(sent)
        return Shipment(sent, shipment.batch, data)

    def _told_apart_by(self) -> str:
        key = self.described.schema.key
        if self.options.key_column is not None:
            return self.options.key_column
        if not key.auto_id:
            return key.name
        raise Invalid(
            f"some rows of {self.source.name} were sent more than {WINDOW_MINUTES} minutes ago, "
            "and the collection makes its keys itself, so nothing tells whether they stand: name "
            "a column whose values are different in every row with --key-column"
        )

    # ---- the server --------------------------------------------------------------------------

    async def _learn(self) -> None:
        """A timestamp that is new enough: under an old one a batch would count as long sent."""
        if self._known and self.host.clock.monotonic() - self._learned < KNOWN_S:
            return
        self._newer(await self._retries.call(self.connection.timestamp))

    def _newer(self, timestamp: Timestamp) -> None:
        self._known = max(self._known, timestamp)
        self._learned = self.host.clock.monotonic()
