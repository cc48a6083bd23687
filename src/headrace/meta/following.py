"""List, then watch: parts of the meta store followed for ever, and copies kept in that way.

**Owns** listing, watching from the next revision on, and listing anew when what was to come is
compacted. **Does not own** truth: a copy lags, so what must be true is compared in a transaction,
and what is about to be refused because of a copy is read from the store first.
"""

from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Generic, Never, TypeVar

from headrace.meta.api import (
    Compacted,
    KeyValue,
    MetaStore,
    PutEvent,
    RangeResult,
    WatchBatch,
)
from headrace.meta.keys import Keys
from headrace.meta.records import LeaderRecord, Role, SessionRecord
from headrace.model.codec import decode
from headrace.model.errors import Corrupt, Unavailable
from headrace.model.ids import Revision
from headrace.runtime.changes import Changes
from headrace.runtime.host import Host
from headrace.runtime.retry import Backoff, Pauses
from headrace.runtime.telemetry import Logger, Telemetry

T = TypeVar("T")
_PAUSES = Pauses(first_s=0.05, most_s=1.0)


async def follow(
    meta: MetaStore,
    prefix: str,
    host: Host,
    log: Logger,
    *,
    listed: Callable[[RangeResult], None],
    changed: Callable[[WatchBatch], None],
) -> Never:
    """Tell of all that is below `prefix`, then of each change, for ever; told anew when the changes
    to come are compacted or the store was away."""
    backoff = Backoff(host, _PAUSES)
    in_trouble = False
    while True:
        try:
            found = await meta.range(prefix)
            listed(found)
            backoff.reset()
            in_trouble = False
            async with aclosing(meta.watch(prefix, start=found.revision + 1)) as watch:
                async for batch in watch:
                    changed(batch)
        except Compacted:
            log.info("listing anew", prefix=prefix)
        except Unavailable as error:
            if not in_trouble:
                log.warning("can not list", prefix=prefix, reason=error.message)
            in_trouble = True
            await host.clock.sleep(backoff.next_s())


def values_of(batch: WatchBatch) -> list[tuple[str, bytes | None, Revision]]:
    """What each key has become: its value, or None when it is gone, and since which revision."""
    return [
        (event.key, event.item.value, event.item.mod_revision)
        if isinstance(event, PutEvent)
        else (event.key, None, event.mod_revision)
        for event in batch.events
    ]


class Following(Generic[T]):
    """The values below `prefix`, by key, in order of keys.

    `on_change` and `changes` tell of every new state, the first listing included, even if empty. A
    value that is not what we wrote is left out, and said so.
    """

    def __init__(
        self,
        meta: MetaStore,
        prefix: str,
        kind: type[T],
        host: Host,
        telemetry: Telemetry,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.items: dict[str, T] = {}
        self.revision: Revision = 0  # the copy is that of this revision; 0 = not listed yet
        self.changes = Changes()
        self._meta = meta
        self._prefix = prefix
        self._kind = kind
        self._host = host
        self._log = telemetry.log
        self._on_change = on_change

    @property
    def listed(self) -> bool:
        return self.revision > 0

    async def run(self) -> Never:
        """Keep the copy for ever; trouble of the store is waited out."""
        await follow(
            self._meta,
            self._prefix,
            self._host,
            self._log,
            listed=lambda found: self._become({}, found.items, found.revision),
            changed=self._changed,
        )

    def _changed(self, batch: WatchBatch) -> None:
        items = dict(self.items)
        for event in batch.events:
            items.pop(event.key, None)
        written = [event.item for event in batch.events if isinstance(event, PutEvent)]
        self._become(items, written, batch.revision)

    def _become(self, items: dict[str, T], written: Sequence[KeyValue], at: Revision) -> None:
        for item in written:
            try:
                items[item.key] = decode(item.value, self._kind, item.key)
            except Corrupt as error:
                self._log.error("left out of the copy", key=item.key, reason=error.message)
        self.items = dict(sorted(items.items()))
        self.revision = at
        self.changes.announce()
        self._on_change()


class SessionWatcher(Following[SessionRecord]):
    """The processes of one role that have a session."""

    def __init__(
        self,
        meta: MetaStore,
        keys: Keys,
        role: Role,
        host: Host,
        telemetry: Telemetry,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        prefix = keys.sessions_prefix(role)
        super().__init__(meta, prefix, SessionRecord, host, telemetry, on_change)

    @property
    def sessions(self) -> dict[str, SessionRecord]:
        """By node name, in its order."""
        return {record.node_name: record for record in self.items.values()}


class LeaderWatcher(Following[LeaderRecord]):
    """The leader of one role."""

    def __init__(
        self,
        meta: MetaStore,
        keys: Keys,
        role: Role,
        host: Host,
        telemetry: Telemetry,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._leader_key = keys.leader(role)
        super().__init__(meta, self._leader_key, LeaderRecord, host, telemetry, on_change)

    @property
    def leader(self) -> LeaderRecord | None:
        """None while no process leads, or it is not known yet."""
        return self.items.get(self._leader_key)

    async def found(self) -> LeaderRecord:
        """Wait until there is a leader."""
        await self.changes.until(lambda: self.leader is not None)
        assert self.leader is not None
        return self.leader
