"""Election: one process leads a role, as long as its key stands under its session's lease.

A leadership is the mod revision of the leader key. Every transaction of a leader compares it, so a
leader that does not know yet that it was replaced commits nothing; and since each leadership has a
revision of its own, nothing that one of them left under way is let in by the next, even in the same
process. Only what compares nothing (handing out timestamps) needs `surely_stands`.
"""

from contextlib import aclosing
from dataclasses import dataclass, field

from headrace.meta.api import Compacted, KeyValue, MetaStore, ModRevisionIs, Put
from headrace.meta.keys import Keys
from headrace.meta.records import LeaderRecord
from headrace.meta.session import Session
from headrace.model.codec import decode, encode
from headrace.model.errors import Conflict, Unavailable
from headrace.model.ids import Revision, ServerId
from headrace.runtime.host import Host
from headrace.runtime.retry import Backoff, Pauses
from headrace.runtime.telemetry import Telemetry

_PAUSES = Pauses(first_s=0.05, most_s=1.0)


@dataclass(frozen=True, slots=True)
class Leadership:
    """That this process leads, since `revision`."""

    key: str
    revision: Revision
    server_id: ServerId
    lease: int
    session: Session = field(repr=False, compare=False)

    @property
    def compare(self) -> ModRevisionIs:
        return ModRevisionIs(self.key, self.revision)

    def surely_stands(self, now: float) -> bool:
        """Whether no other process can lead at `now` (monotonic), short of a store that ends leases
        early."""
        return now < self.stands_until

    @property
    def stands_until(self) -> float:
        """Until when (monotonic seconds) it surely stands if nothing else happens."""
        return self.session.held_until if self.session.lease == self.lease else 0.0


class Election:
    """The election of a session's role. One campaign at a time."""

    def __init__(
        self, *, meta: MetaStore, keys: Keys, host: Host, telemetry: Telemetry, session: Session
    ) -> None:
        self._meta = meta
        self._host = host
        self._session = session
        self._key = keys.leader(session.record.role)
        self._log = telemetry.log.bind(role=session.record.role.value)

    async def lead(self) -> Leadership:
        """Wait until this process leads. Never raises `Unavailable`; ends only so or cancelled."""
        backoff = Backoff(self._host, _PAUSES)
        waiting = False
        while True:
            try:
                leadership = await self._campaign()
                if leadership is not None:
                    self._log.info("leading", revision=leadership.revision)
                    return leadership
            except (Unavailable, Conflict) as error:
                if not waiting:
                    self._log.warning("the election waits", reason=error.message)
                waiting = True
            await self._host.clock.sleep(backoff.next_s())

    async def ended(self, leadership: Leadership) -> str:
        """Wait until another revision of the leader key, or none, stands; what happened.

        The process may learn so late; that is what `Leadership.compare` is for.
        """
        backoff = Backoff(self._host, _PAUSES)
        while True:
            try:
                item, revision = await self._read()
                if item is None:
                    return "the leader key has gone with its lease"
                if item.mod_revision != leadership.revision:
                    leader = decode(item.value, LeaderRecord, self._key)
                    return f"process {leader.server_id} ({leader.node_name}) leads"
                await self._changed(revision)
            except Unavailable:
                await self._host.clock.sleep(backoff.next_s())

    async def _campaign(self) -> Leadership | None:
        """One try: wait for the key to be free, then take it. None = another process was faster."""
        session = self._session
        while True:
            item, revision = await self._read()
            if item is None or self._may_replace(item):
                break
            await self._changed(revision)
        lease = session.lease
        if not session.is_held(self._host.clock.monotonic()) or not lease:
            return None
        mine = session.record
        record = LeaderRecord(
            server_id=mine.server_id, node_name=mine.node_name, address=mine.address
        )
        compare = [ModRevisionIs(self._key, item.mod_revision if item else 0), session.compare]
        result = await self._meta.txn(compare, [Put(self._key, encode(record), lease)])
        if not result.succeeded:
            return None
        return Leadership(self._key, result.revision, mine.server_id, lease, session)

    def _may_replace(self, item: KeyValue) -> bool:
        """Its own key (of a former leadership, or of a transaction whose answer was lost), or that
        of the process that had this node name before."""
        leader = decode(item.value, LeaderRecord, self._key)
        mine = self._session.record
        return leader.node_name == mine.node_name and leader.server_id <= mine.server_id

    async def _read(self) -> tuple[KeyValue | None, Revision]:
        found = await self._meta.get(self._key)
        return found.first, found.revision

    async def _changed(self, since: Revision) -> None:
        """Return when the leader key was written or removed after this revision."""
        watch = self._meta.watch(self._key, start=since + 1)
        try:
            async with aclosing(watch):
                async for batch in watch:
                    if any(event.key == self._key for event in batch.events):
                        return
        except Compacted:
            return  # who waits reads the key again
