"""Carries out what the machine ordered: each effect goes to the stage that does its work.

One effect is one coroutine and ends in one event, or in none where the machine needs no answer.
"""

from collections.abc import Callable
from dataclasses import fields
from typing import Any, assert_never

from headrace.datanode import effects as fx
from headrace.datanode import events as ev
from headrace.datanode.consume.fetch import Fetcher
from headrace.datanode.pack.encode import Encoder
from headrace.datanode.persist.put import Putter
from headrace.datanode.report.send import Sender
from headrace.datanode.settings import DataNodeSettings
from headrace.frame.surroundings import Surroundings
from headrace.meta.following import LeaderWatcher


class DataNodeShell:
    """The stages of one data node that do I/O or use threads."""

    def __init__(
        self,
        around: Surroundings[DataNodeSettings],
        data_service: LeaderWatcher,
        answer: Callable[[int, Any], None],
        stopped: Callable[[], None],
    ) -> None:
        self._fetcher = Fetcher(around)
        self._encoder = Encoder(around)
        self._putter = Putter(around)
        self._sender = Sender(around, data_service)
        self._answer = answer
        self._stopped = stopped
        self._log = around.telemetry.log

    async def perform(self, effect: fx.Effect) -> ev.Event | None:
        """The event that answers an effect, None where none does."""
        match effect:
            case fx.Fetch():
                return await self._fetcher.fetch(effect)
            case fx.CloseReader():
                await self._fetcher.close_reader(effect.reader)
            case fx.EncodePack():
                return await self._encoder.encode(effect)
            case fx.PutObjects():
                return await self._putter.put(effect)
            case fx.SendReport():
                return await self._sender.report(effect)
            case fx.SendMoves():
                return await self._sender.moves(effect)
            case fx.AskNewEpoch():
                return await self._sender.new_epoch(effect)
            case fx.Answer():
                self._answer(effect.call, effect.response)
            case fx.Tell():
                self._tell(effect)
            case fx.Stopped():
                self._stopped()
            case _:
                assert_never(effect)
        return None

    def _tell(self, effect: fx.Tell) -> None:
        trouble = effect.happening in (fx.FlowgraphNotice.FAILED, fx.FlowgraphNotice.PUT_FAILED)
        say = self._log.warning if trouble else self._log.info
        values = {f.name: getattr(effect, f.name) for f in fields(effect) if f.name != "happening"}
        say(effect.happening, **{name: value for name, value in values.items() if value})

    async def close(self) -> None:
        """Close all readers; nothing is performed any more."""
        await self._fetcher.close()
