"""Carries the data node's decisions out: one straight coroutine an effect, one event back.

**Owns** how each effect is done, which errors become which events, and how long a repeat waits.
**Does not own** any decision (`machine`) or the life of the process (`service`).

Work on files runs in threads, a few at a time; puts run side by side under one circuit breaker.
Nothing is given up here: what failed is an event, and the machine orders it again.

Crash points: `datanode.put.begins` and `datanode.put.stands` around a put,
`datanode.report.between` before each further transaction of a large sync,
`datanode.report.stands` when a report's answer is here and nobody knows of it yet.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, assert_never

from headrace.datanode import events as ev
from headrace.datanode.consume.decode import decode
from headrace.datanode.effects import (
    Answer,
    AskNewEpoch,
    CloseReader,
    Effect,
    EncodePack,
    Fetch,
    PutObjects,
    SendMoves,
    SendReport,
    Stopped,
    Tell,
)
from headrace.datanode.handoff import EncodedObject
from headrace.datanode.pack.encode import Piece, Work, joined
from headrace.datanode.settings import DataNodeSettings
from headrace.log.api import Log, LogReader, Message
from headrace.meta.following import LeaderWatcher
from headrace.model.entry import Body, Rows
from headrace.model.errors import Conflict, Corrupt, Fenced, HeadraceError, Unavailable
from headrace.objects.api import ObjectStore
from headrace.rpc.api import Peers
from headrace.rpc.messages import SaveBinlogPathsResponse, SaveCheckpointsResponse
from headrace.runtime.crashpoints import CrashPoints
from headrace.runtime.host import Host
from headrace.runtime.race import pause
from headrace.runtime.retry import JITTER, CircuitBreaker, retry
from headrace.runtime.telemetry import Telemetry

PUT_BEGINS = "datanode.put.begins"
PUT_STANDS = "datanode.put.stands"
REPORT_BETWEEN = "datanode.report.between"
REPORT_STANDS = "datanode.report.stands"


def is_ours(found: bytes, parts: Sequence[Body]) -> bool:
    """Whether an object that exists already is the one that was to be put.

    Its key names an epoch of ours and a number that was never used before, so it is: an earlier
    try was carried out and its answer lost. If it is not, two write under one epoch.
    """
    place, view = 0, memoryview(found)
    for part in parts:
        if view[place : place + len(part)] != memoryview(part).cast("B"):
            return False
        place += len(part)
    return place == len(found)


class DataNodeShell:
    """The hands of one data node."""

    def __init__(
        self,
        *,
        settings: DataNodeSettings,
        host: Host,
        telemetry: Telemetry,
        log: Log,
        objects: ObjectStore,
        peers: Peers,
        data_service: LeaderWatcher,
        answer: Callable[[int, Any], None],
        stopped: Callable[[], None],
        crash: CrashPoints,
    ) -> None:
        self._settings = settings
        self._host = host
        self._telemetry = telemetry.log
        self._log = log
        self._objects = objects
        self._peers = peers
        self._data_service = data_service
        self._answer = answer
        self._stopped = stopped
        self._crash = crash
        self._breaker = CircuitBreaker(settings.breaker_failures, settings.breaker_open_s)
        self._encodes = asyncio.Semaphore(settings.encodes_at_once)
        self._puts = asyncio.Semaphore(settings.puts_at_once)
        self._readers: dict[int, LogReader] = {}
        self._fetching: dict[int, asyncio.Task[Sequence[Message]]] = {}
        self._called_off: dict[int, None] = {}
        counter = telemetry.counter
        self._bytes = counter("datanode_consumed_bytes_total", "Bytes of messages fetched")
        self._rows = counter("datanode_consumed_rows_total", "Rows in messages fetched")
        self._syncs = counter("datanode_syncs_total", "Syncs that were made into files")
        self._stored = counter("datanode_stored_bytes_total", "Bytes of objects stored")
        self._failures = counter("datanode_put_failures_total", "Puts that failed")

    async def perform(self, effect: Effect) -> ev.Event | None:
        """See `runtime.driver`: one event, or None where the effect needs none."""
        match effect:
            case Fetch():
                return await self._fetch(effect)
            case CloseReader():
                await self._close(effect.reader)
                return None
            case EncodePack():
                return await self._encode(effect)
            case PutObjects():
                return await self._put(effect)
            case SendReport():
                return await self._report(effect)
            case SendMoves():
                return await self._moves(effect)
            case AskNewEpoch():
                return await self._ask_new_epoch(effect)
            case Answer():
                self._answer(effect.call, effect.response)
                return None
            case Tell():
                self._tell(effect)
                return None
            case Stopped():
                self._stopped()
                return None
            case _:
                assert_never(effect)

    async def close(self) -> None:
        """Give all readers back; nothing is performed any more."""
        for reader in list(self._readers):
            await self._close(reader)

    # ---- the log -----------------------------------------------------------------------------

    async def _fetch(self, effect: Fetch) -> ev.Event:
        task = asyncio.create_task(self._messages(effect))
        self._fetching[effect.reader] = task
        try:
            messages = await task
        except Corrupt as error:
            return ev.GroupsFetched(effect.reader, (), error.message)
        except asyncio.CancelledError:
            if effect.reader not in self._called_off:
                raise
            return ev.FetchEnded(effect.reader)
        finally:
            del self._fetching[effect.reader]
            self._called_off.pop(effect.reader, None)
        groups, corrupt = decode(effect.pchannel, messages)
        for fetched in groups:
            self._bytes.inc(fetched.size_bytes)
            self._rows.inc(sum(e.rows for e in fetched.group.entries if isinstance(e, Rows)))
        return ev.GroupsFetched(effect.reader, groups, corrupt)

    async def _messages(self, effect: Fetch) -> Sequence[Message]:
        reader = self._readers.get(effect.reader)
        if reader is None:
            reader = await retry(
                lambda: self._log.read(effect.pchannel, effect.next_id), self._host
            )
            self._readers[effect.reader] = reader
        return await reader.fetch(effect.credit_bytes)

    async def _close(self, reader_id: int) -> None:
        fetching = self._fetching.get(reader_id)
        if fetching is not None and not fetching.done():
            self._called_off[reader_id] = None
            fetching.cancel()
        reader = self._readers.pop(reader_id, None)
        if reader is not None:
            await reader.close()

    # ---- files -------------------------------------------------------------------------------

    async def _encode(self, effect: EncodePack) -> ev.Event:
        pack = effect.pack
        try:
            done = await asyncio.gather(*(self._piece(work) for work in effect.work))
        except Corrupt as error:
            return ev.PackRefused(pack.vchannel, pack.epoch, pack.head.number, error.message)
        self._syncs.inc()
        return ev.PackEncoded(pack.vchannel, pack.epoch, joined(pack, done))

    async def _piece(self, work: Work) -> Piece:
        async with self._encodes:
            return await self._host.offload.run(work)

    # ---- objects -----------------------------------------------------------------------------

    async def _put(self, effect: PutObjects) -> ev.Event:
        await self._host.clock.sleep(self._pause_s(effect.attempt))
        outcomes = await asyncio.gather(*(self._put_one(o) for o in effect.objects))
        where = effect.vchannel, effect.epoch, effect.number
        failed = [e for e in outcomes if e is not None]
        for error in failed:
            if isinstance(error, Corrupt):
                return ev.PackRefused(*where, error.message)
        if not failed:
            return ev.ObjectsStored(*where)
        stored = [o.key for o, e in zip(effect.objects, outcomes, strict=True) if e is None]
        return ev.PutFailed(*where, frozenset(stored), failed[0].message)

    async def _put_one(self, item: EncodedObject) -> HeadraceError | None:
        """None when the object stands, else why that is not known."""
        clock = self._host.clock
        async with self._puts:
            while (hold_s := self._breaker.admit(clock.monotonic())) > 0:
                await clock.sleep(hold_s)
            self._crash.reach(PUT_BEGINS)
            try:
                await self._store(item)
            except Corrupt as error:
                return error
            except HeadraceError as error:
                self._breaker.failed(clock.monotonic())
                self._failures.inc()
                return error
            self._breaker.succeeded()
            self._crash.reach(PUT_STANDS)
        self._stored.inc(item.size_bytes)
        return None

    async def _store(self, item: EncodedObject) -> None:
        try:
            await self._objects.put(item.key, item.parts)
        except Conflict:
            found = await self._objects.get(item.key)
            if not is_ours(found, item.parts):
                raise Corrupt(
                    f"object {item.key} holds other bytes: somebody else writes under its epoch"
                ) from None

    # ---- reports -----------------------------------------------------------------------------

    async def _report(self, effect: SendReport) -> ev.Event:
        request = effect.request
        where = request.vchannel, request.epoch
        if effect.part:
            self._crash.reach(REPORT_BETWEEN)
        try:
            response: SaveBinlogPathsResponse = await self._call(request, effect.attempt)
        except Unavailable as error:
            return ev.ReportUnanswered(*where, error.message)
        except HeadraceError as error:
            return ev.ReportRefused(*where, isinstance(error, Fenced), error.message)
        self._crash.reach(REPORT_STANDS)
        return ev.ReportAnswered(*where, response.outcome)

    async def _moves(self, effect: SendMoves) -> ev.Event:
        try:
            response: SaveCheckpointsResponse = await self._call(effect.request, effect.attempt)
        except HeadraceError as error:
            return ev.MovesUnanswered(error.message)
        return ev.MovesAnswered(response.left_out)

    async def _ask_new_epoch(self, effect: AskNewEpoch) -> ev.Event:
        request = effect.request
        try:
            await self._call(request, effect.attempt)
        except HeadraceError as error:
            return ev.NewEpochUnanswered(request.vchannel, request.epoch, error.message)
        return ev.NewEpochAnswered(request.vchannel, request.epoch)

    async def _call(self, request: Any, attempt: int) -> Any:
        """Ask whoever leads the data service; a repeat waits, but not for longer than until
        another one leads."""
        if attempt:
            count = self._data_service.changes.count
            changed = self._data_service.changes.after(count)
            await pause(self._host.clock, self._pause_s(attempt), changed)
        leader = self._data_service.leader
        if leader is None:
            raise Unavailable("no data service leads")
        return await self._peers.call(
            leader.address, request, timeout_s=self._settings.report_timeout_s
        )

    # ---- inside ------------------------------------------------------------------------------

    def _pause_s(self, attempt: int) -> float:
        """0 for the first try; grows with each further one, jittered downwards."""
        if attempt == 0:
            return 0.0
        least, most = self._settings.retry_least_s, self._settings.retry_most_s
        pause = min(most, least * 2.0 ** min(attempt - 1, 30))
        return pause * (1.0 - JITTER * self._host.random.random())

    def _tell(self, effect: Tell) -> None:
        say = self._telemetry.warning if effect.trouble else self._telemetry.info
        say(effect.happening, vchannel=effect.vchannel, epoch=effect.epoch, **effect.values)
