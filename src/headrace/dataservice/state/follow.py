"""Following: what meta says of vchannels and collections, as events for the machine.

Records of one revision are told in the order of their keys; a record that is not what we wrote is
left out, and said so.
"""

from collections.abc import Callable
from typing import Never

from headrace.dataservice import events as ev
from headrace.meta.api import MetaStore, RangeResult, WatchBatch
from headrace.meta.following import follow, values_of
from headrace.meta.keys import Keys
from headrace.meta.records import CheckpointRecord, EpochRecord
from headrace.model import codec
from headrace.model.channel import parse_vchannel
from headrace.model.errors import Corrupt, Invalid
from headrace.model.ids import Revision
from headrace.runtime.host import Host
from headrace.runtime.telemetry import Logger


class Follower:
    """Tells `post` of every change, after a first `ChannelsListed`."""

    def __init__(
        self,
        meta: MetaStore,
        keys: Keys,
        host: Host,
        log: Logger,
        post: Callable[[ev.Event], None],
    ) -> None:
        self._meta = meta
        self._keys = keys
        self._host = host
        self._log = log
        self._post = post

    async def follow_channels(self) -> Never:
        """Vchannels, for ever."""
        prefix = self._keys.channels_prefix
        listed, changed = self._list_channels, self._tell_channels
        await follow(self._meta, prefix, self._host, self._log, listed=listed, changed=changed)

    async def follow_collections(self) -> Never:
        """Collections, for ever; changes only, since every list is made anew at first anyway."""
        prefix = self._keys.collections_prefix
        await follow(
            self._meta,
            prefix,
            self._host,
            self._log,
            listed=lambda found: None,
            changed=self._tell_collections,
        )

    def _list_channels(self, found: RangeResult) -> None:
        seen = [self._seen(item.key, item.value, item.mod_revision) for item in found.items]
        self._post(
            ev.ChannelsListed(
                tuple(s for s in seen if isinstance(s, ev.EpochSeen)),
                tuple(s for s in seen if isinstance(s, ev.CheckpointSeen)),
            )
        )

    def _tell_channels(self, batch: WatchBatch) -> None:
        for key, value, revision in values_of(batch):
            seen = self._seen(key, value, revision)
            if seen is not None:
                self._post(seen)

    def _tell_collections(self, batch: WatchBatch) -> None:
        for key, value, _ in values_of(batch):
            name = key.removeprefix(self._keys.collections_prefix)
            if name.isdecimal():
                self._post(ev.CollectionChanged(int(name), value is not None))

    def _seen(
        self, key: str, value: bytes | None, revision: Revision
    ) -> ev.EpochSeen | ev.CheckpointSeen | None:
        vchannel, _, kind = key.removeprefix(self._keys.channels_prefix).rpartition("/")
        try:
            if kind in ("epoch", "checkpoint"):
                parse_vchannel(vchannel)
            if kind == "epoch":
                epoch = codec.decode(value, EpochRecord, key) if value is not None else None
                return ev.EpochSeen(vchannel, epoch, revision)
            if kind == "checkpoint":
                record = codec.decode(value, CheckpointRecord, key) if value is not None else None
                return ev.CheckpointSeen(vchannel, record, revision)
        except (Corrupt, Invalid) as error:
            self._log.error("a record of a vchannel is left out", key=key, reason=error.message)
        return None
