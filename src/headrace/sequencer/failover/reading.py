"""What a candidate and a new sequencer read: the end of the log, the meta store, the window.

Functions raise `Unavailable` (again, later) and `Corrupt`; all may be repeated.

The window is read backwards: the tail message by message up to the last digest, then digest by
digest. `until` says where nothing further back matters: entries hold `first_sent <= timestamp +
lead`, so ids in messages at or below `until` (the floor less the lead) are below the floor.
"""

import asyncio
from dataclasses import dataclass, field

from headrace.log.api import Log
from headrace.meta.api import Compacted, MetaStore
from headrace.meta.keys import Keys
from headrace.meta.records import (
    CheckpointRecord,
    CollectionRecord,
    DdlRecord,
    PChannelRecord,
    SequencerRecord,
)
from headrace.model import codec
from headrace.model.channel import PChannel, VChannel, parse_vchannel
from headrace.model.entry import Digest, DigestItem, Rows
from headrace.model.errors import Corrupt, Unavailable
from headrace.model.group import Group, decode
from headrace.model.ids import CollectionId, MessageId, Revision, Term
from headrace.model.timestamp import Timestamp
from headrace.runtime.host import Clock
from headrace.sequencer.events import MetaView, Past, VChannelView
from headrace.sequencer.requests.window import items_of, span
from headrace.sequencer.settings import SequencerSettings

_TRIES = 40  # of one get: a replica may say "absent" of what stands
_PAUSE_S = 0.05
_AT_ONCE = 8  # messages of the tail in memory at the same time
_META_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class End:
    """The end of the log. `mark` was read before it."""

    message_id: MessageId
    timestamp: Timestamp
    mark: MessageId


class FailoverReading:
    """Reads for the sequencer of one pchannel."""

    def __init__(
        self,
        pchannel: PChannel,
        keys: Keys,
        meta: MetaStore,
        log: Log,
        clock: Clock,
        settings: SequencerSettings,
    ) -> None:
        self._pchannel = pchannel
        self._keys = keys
        self._meta = meta
        self._log = log
        self._clock = clock
        self._settings = settings

    # ---- the log -----------------------------------------------------------------------------

    async def end(self) -> End:
        """The last message. A process that names its id must know the message, so it is read."""
        record, revision = await self._pchannel_record(0)
        mark = await self._mark(record, revision)
        last = await self._log.last(self._pchannel)
        if last == 0:
            return End(0, 0, mark)
        group = await self.group(last)
        if group is None:
            raise Unavailable(f"message {last} of {self._pchannel} was not found")
        return End(last, group.last_timestamp, mark)

    async def group(self, message_id: MessageId) -> Group | None:
        """The message with that id; None when it was truncated. Absence is no outcome."""
        for _ in range(_TRIES):
            message = await self._log.get(self._pchannel, message_id)
            if message is not None:
                return decode(message.data, f"{self._pchannel}#{message_id}")
            if message_id < await self._log.first(self._pchannel):
                return None
            await self._clock.sleep(_PAUSE_S)
        raise Unavailable(f"message {message_id} of {self._pchannel} was not found")

    # ---- the meta store ------------------------------------------------------------------------

    async def meta(self) -> MetaView:
        """The assignment and the vchannels, all at the revision of one linearizable read."""
        assignment = await self._meta.get(self._keys.sequencer(self._pchannel))
        wanted = 0
        if assignment.first is not None:
            wanted = codec.decode(
                assignment.first.value, SequencerRecord, assignment.first.key
            ).server_id
        try:
            record, revision = await self._pchannel_record(assignment.revision)
            views, mark = await asyncio.gather(
                self._views(record, revision), self._mark(record, revision)
            )
        except Compacted as error:
            raise Unavailable(f"{error}: the meta store was read too slowly") from error
        return MetaView(
            wanted=wanted,
            assignment_revision=assignment.first.mod_revision
            if assignment.first
            else assignment.revision,
            mark=mark,
            vchannels=views,
        )

    async def _pchannel_record(self, revision: Revision) -> tuple[PChannelRecord, Revision]:
        found = await self._meta.get(self._keys.pchannel(self._pchannel), revision=revision)
        if found.first is None:
            return PChannelRecord(), revision or found.revision
        record = codec.decode(found.first.value, PChannelRecord, found.first.key)
        return record, revision or found.revision

    async def _mark(self, record: PChannelRecord, revision: Revision) -> MessageId:
        """The highest message id that was stored: the log has, or had, a message with that id."""
        mark = record.truncation_mark - 1
        for start in range(0, len(record.vchannels), _META_AT_ONCE):
            some = record.vchannels[start : start + _META_AT_ONCE]
            keys = [self._keys.checkpoint(v) for v in some]
            for found in await asyncio.gather(
                *(self._meta.get(k, revision=revision) for k in keys)
            ):
                if found.first is not None:
                    item = codec.decode(found.first.value, CheckpointRecord, found.first.key)
                    mark = max(mark, item.position.message_id, item.start.message_id)
        return mark

    async def _views(self, record: PChannelRecord, revision: Revision) -> tuple[VChannelView, ...]:
        collections: dict[CollectionId, list[VChannel]] = {}
        for vchannel in record.vchannels:
            collections.setdefault(parse_vchannel(vchannel).collection_id, []).append(vchannel)
        ids = list(collections)
        views: list[VChannelView] = []
        for start in range(0, len(ids), _META_AT_ONCE):
            some = ids[start : start + _META_AT_ONCE]
            read = await asyncio.gather(*(self._collection(i, revision) for i in some))
            for collection_id, found in zip(some, read, strict=True):
                if found is not None:
                    collection, noted, recorded = found
                    views += [
                        VChannelView(v, collection, noted, recorded)
                        for v in collections[collection_id]
                    ]
        return tuple(views)

    async def _collection(
        self, collection_id: CollectionId, revision: Revision
    ) -> tuple[CollectionRecord, DdlRecord | None, DdlRecord | None] | None:
        """None: its tombstone is gone, every checkpoint has passed its drop."""
        found = (
            await self._meta.get(self._keys.collection(collection_id), revision=revision)
        ).first
        if found is None:
            return None
        record = codec.decode(found.value, CollectionRecord, found.key)
        noted = await self._ddl(collection_id, record.noted, revision) if record.noted else None
        recorded = None
        if record.version > record.noted:
            recorded = await self._ddl(collection_id, record.version, revision)
            if recorded is None:
                raise Corrupt(f"{found.key} names a DDL that is not there", channel=found.key)
        return record, noted, recorded

    async def _ddl(
        self, collection_id: CollectionId, version: int, revision: Revision
    ) -> DdlRecord | None:
        key = self._keys.ddl(collection_id, version)
        found = (await self._meta.get(key, revision=revision)).first
        return None if found is None else codec.decode(found.value, DdlRecord, found.key)

    # ---- the window ----------------------------------------------------------------------------

    async def window(self, term: Term, until: Timestamp) -> Past:
        """The ids of the messages below `term` that may still be repeated."""
        tail = await self._tail(term, until)
        items = list(tail.items)
        floor = tail.floor
        digest = tail.digest
        while digest is not None:
            items += digest.items
            if digest.previous == 0:
                floor = max(floor, digest.floor)
                break
            group = await self.group(digest.previous)
            if group is None:
                floor = max(floor, await self._truncated_floor(term))
                break
            before = group.entries[0]
            if not isinstance(before, Digest):
                raise Corrupt(f"message {digest.previous} is no digest", channel=self._pchannel)
            digest = before if before.timestamp > until else None
        return Past(
            items=tuple(items),
            recent=tuple(tail.items),
            floor=floor,
            digest=tail.digest_id,
            since=tail.since,
            bytes_since=tail.size_bytes,
            messages_since=tail.messages,
        )

    async def _tail(self, term: Term, until: Timestamp) -> "_Tail":
        tail = _Tail(since=term - 1)
        first = await self._log.first(self._pchannel)
        above: Timestamp | None = None
        while tail.since >= first:
            low = max(first, tail.since - _AT_ONCE + 1)
            ids = range(tail.since, low - 1, -1)
            for message_id, group in zip(
                ids, await asyncio.gather(*(self.group(i) for i in ids)), strict=True
            ):
                if group is None:
                    tail.floor = await self._truncated_floor(term)
                    return tail
                if above is not None and group.last_timestamp >= above:
                    raise Corrupt(
                        f"timestamps do not rise behind message {message_id}",
                        channel=self._pchannel,
                    )
                above = group.first_timestamp
                if not tail.takes(message_id, group, until):
                    return tail
        if first > 1:
            tail.floor = await self._truncated_floor(term)
        return tail

    async def _truncated_floor(self, term: Term) -> Timestamp:
        """Ids in truncated messages are not known: those first sent at or below this."""
        first = min(await self._log.first(self._pchannel), term)
        group = await self.group(first)
        if group is None:
            raise Unavailable(f"{self._pchannel} was truncated meanwhile")
        return group.first_timestamp + span(self._settings.first_sent_lead_s)


@dataclass(slots=True)
class _Tail:
    """What is behind the last digest; `since` is the next message to be read, going down."""

    since: MessageId
    items: list[DigestItem] = field(default_factory=list)
    floor: Timestamp = 0
    digest: Digest | None = None
    digest_id: MessageId = 0
    size_bytes: int = 0
    messages: int = 0

    def takes(self, message_id: MessageId, group: Group, until: Timestamp) -> bool:
        """False: this message and all further back are not of the tail."""
        entry = group.entries[0]
        if isinstance(entry, Digest):
            self.digest_id = message_id
            self.digest = entry if entry.timestamp > until else None
            return False
        if group.last_timestamp <= until:
            return False
        self.items += items_of(message_id, group.entries)
        self.size_bytes += sum(len(e.body) for e in group.entries if isinstance(e, Rows))
        self.messages += 1
        self.since = message_id - 1
        return True
