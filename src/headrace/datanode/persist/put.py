"""Puts the objects of a sync into the object store, a few at a time, under one circuit breaker.

A failed put is an event that names what stands already; the machine orders the rest again, and the
pause before that try grows with each failure. Nothing is given up here.

Crash points: `datanode.put.begins` before a put, `datanode.put.stands` after it.
"""

import asyncio

from headrace.datanode.effects import PutObjects
from headrace.datanode.events import ObjectsStored, PackRefused, PutFailed
from headrace.datanode.handoff import EncodedObject
from headrace.datanode.settings import DataNodeSettings
from headrace.frame.surroundings import Surroundings
from headrace.model.entry import same_bytes
from headrace.model.errors import Conflict, Corrupt, HeadraceError
from headrace.runtime.retry import CircuitBreaker, jittered

PUT_BEGINS = "datanode.put.begins"
PUT_STANDS = "datanode.put.stands"


class Putter:
    """Puts for one node."""

    def __init__(self, around: Surroundings[DataNodeSettings]) -> None:
        settings = around.settings
        self._objects = around.objects
        self._host = around.host
        self._crash = around.crash
        self._pauses = settings.pauses
        self._breaker = CircuitBreaker(settings.breaker_failures, settings.breaker_open_s)
        self._puts = asyncio.Semaphore(settings.puts_at_once)
        counter = around.telemetry.counter
        self._stored = counter("datanode_stored_bytes_total", "Bytes of objects stored")
        self._failures = counter("datanode_put_failures_total", "Puts that failed")

    async def put(self, effect: PutObjects) -> ObjectsStored | PutFailed | PackRefused:
        """Put all objects that are left of a sync."""
        pack = effect.pack
        await self._host.clock.sleep(jittered(self._pauses.after(pack.attempt), self._host))
        outcomes = await asyncio.gather(*(self._put_one(o) for o in pack.left))
        failed = [e for e in outcomes if e is not None]
        for error in failed:
            if isinstance(error, Corrupt):
                return PackRefused(pack.key, error.message)
        if not failed:
            return ObjectsStored(pack.key)
        stored = [o.key for o, e in zip(pack.left, outcomes, strict=True) if e is None]
        return PutFailed(pack.key, frozenset(stored), failed[0].message)

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
            # Its key names an epoch of ours and a number that was never used before: an earlier try
            # was carried out and its answer lost, or two processes write under one epoch.
            found = await self._objects.get(item.key)
            if not same_bytes(item.parts, found):
                raise Corrupt(
                    f"object {item.key} holds other bytes: another process writes under its epoch"
                ) from None
