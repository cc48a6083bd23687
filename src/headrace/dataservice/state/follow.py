"""Following: what meta says of vchannels and collections, as events for the machine.

**Owns** listing and watching two parts of the meta store. **Does not own** truth: what is told here
lags, so commits and epochs compare, whatever was told. Records of one revision are told in the
order of their keys; a record that is not what we wrote is left out, and said so.
"""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import assert_never

from headrace.dataservice.events import (
    ChannelsListed,
    CheckpointSeen,
    CollectionChanged,
    EpochSeen,
    Event,
)
from headrace.meta.api import Compacted, DeleteEvent, MetaStore, PutEvent, WatchBatch
from headrace.meta.keys import Keys
from headrace.meta.records import CheckpointRecord, EpochRecord
from headrace.model import codec
from headrace.model.channel import parse_vchannel
from headrace.model.errors import Corrupt, Invalid, Unavailable
from headrace.model.ids import Revision
from headrace.runtime.host import Host
from headrace.runtime.retry import Backoff, Pauses
from headrace.runtime.telemetry import Logger

_PAUSES = Pauses(first_s=0.05, most_s=1.0)


class Follower:
    """Tells `post` of every change, after a first `ChannelsListed`."""

    def __init__(
        self,
        meta: MetaStore,
        keys: Keys,
        host: Host,
        log: Logger,
        post: Callable[[Event], None],
    ) -> None:
        self._meta = meta
        self._keys = keys
        self._host = host
        self._log = log
        self._post = post

    async def follow_channels(self) -> None:
        """Vchannels, for ever."""
        await self._follow(self._list_channels, self._keys.channels_prefix, self._tell_channels)

    async def follow_collections(self) -> None:
        """Collections, for ever; changes only, since every list is made anew at first anyway."""
        await self._follow(
            self._present_revision, self._keys.collections_prefix, self._tell_collections
        )

    async def _follow(
        self,
        begin: Callable[[], Awaitable[Revision]],
        prefix: str,
        tell: Callable[[WatchBatch], None],
    ) -> None:
        backoff = Backoff(self._host, _PAUSES)
        while True:
            try:
                revision = await begin()
                backoff.reset()
                watch = self._meta.watch(prefix, start=revision + 1)
                async with aclosing(watch):
                    async for batch in watch:
                        tell(batch)
            except Compacted:
                self._log.info("listing anew", prefix=prefix)
            except Unavailable as error:
                self._log.warning("can not list", prefix=prefix, reason=error.message)
                await self._host.clock.sleep(backoff.next_s())

    async def _list_channels(self) -> Revision:
        found = await self._meta.range(self._keys.channels_prefix)
        seen = [self._seen(item.key, item.value, item.mod_revision) for item in found.items]
        self._post(
            ChannelsListed(
                tuple(s for s in seen if isinstance(s, EpochSeen)),
                tuple(s for s in seen if isinstance(s, CheckpointSeen)),
            )
        )
        return found.revision

    async def _present_revision(self) -> Revision:
        return (await self._meta.get(self._keys.layout)).revision

    def _tell_channels(self, batch: WatchBatch) -> None:
        for event in batch.events:
            match event:
                case PutEvent():
                    item = event.item
                    seen = self._seen(item.key, item.value, item.mod_revision)
                case DeleteEvent():
                    seen = self._seen(event.key, None, event.mod_revision)
                case _:
                    assert_never(event)
            if seen is not None:
                self._post(seen)

    def _tell_collections(self, batch: WatchBatch) -> None:
        for event in batch.events:
            present = isinstance(event, PutEvent)
            key = event.item.key if isinstance(event, PutEvent) else event.key
            name = key.removeprefix(self._keys.collections_prefix)
            if name.isdecimal():
                self._post(CollectionChanged(int(name), present))

    def _seen(
        self, key: str, value: bytes | None, revision: Revision
    ) -> EpochSeen | CheckpointSeen | None:
        vchannel, _, kind = key.removeprefix(self._keys.channels_prefix).rpartition("/")
        try:
            if kind in ("epoch", "checkpoint"):
                parse_vchannel(vchannel)
            if kind == "epoch":
                epoch = codec.decode(value, EpochRecord, key) if value is not None else None
                return EpochSeen(vchannel, epoch, revision)
            if kind == "checkpoint":
                record = codec.decode(value, CheckpointRecord, key) if value is not None else None
                return CheckpointSeen(vchannel, record, revision)
        except (Corrupt, Invalid) as error:
            self._log.error("a record of a vchannel is left out", key=key, reason=error.message)
        return None
