"""A process's session: its server id, its record under a lease, and whether that surely stands.

A server id is taken once, by compare-and-swap on a counter, and belongs to this process for ever.
The lease may end at any time: this process was frozen, could not reach the store, or the store
ended it early. Then the process registers anew, with the same id; its role goes on, since its
transactions compare. Whether the lease surely stands is judged by this process's own monotonic
clock, from the moment before the last keep-alive that succeeded was sent, so it is never believed
to stand when it has ended in time.

The record is read after every keep-alive. So it is put right whatever happened to it, and a process
that was replaced finds out even if its own lease was left to it: of two processes of one node name
the younger stays.
"""

import asyncio
from dataclasses import replace

from headrace.meta.api import MetaStore, ModRevisionIs, Put
from headrace.meta.keys import Keys
from headrace.meta.records import Role, SessionRecord, SessionState
from headrace.model.codec import decode, encode
from headrace.model.errors import Conflict, Fenced, Unavailable
from headrace.model.ids import Revision, ServerId
from headrace.runtime.changes import Changes
from headrace.runtime.host import Host
from headrace.runtime.race import pause
from headrace.runtime.retry import Backoff, Pauses, retry
from headrace.runtime.telemetry import Telemetry

TTL_S = 5  # etcd's least is 2
CLOSE_S = 2.0  # a process that ends does not wait longer for the store
_PAUSES = Pauses(first_s=0.05, most_s=1.0)
_AGAIN = (Unavailable, Conflict)


class Session:
    """`start`, then at once `run` as a task of the role; `close` at the end."""

    def __init__(
        self,
        *,
        meta: MetaStore,
        keys: Keys,
        host: Host,
        telemetry: Telemetry,
        role: Role,
        node_name: str,
        address: str,
        public_address: str = "",
        ttl_s: int = TTL_S,
    ) -> None:
        self.lost_count = 0
        self.changes = Changes()  # registered, or lost
        self._meta = meta
        self._keys = keys
        self._host = host
        self._log = telemetry.log.bind(role=role.value, node=node_name)
        self._ttl_s = ttl_s
        self._key = keys.session(role, node_name)
        self._record = SessionRecord(
            role=role,
            node_name=node_name,
            server_id=0,
            address=address,
            state=SessionState.INITIALIZING,
            public_address=public_address,
        )
        self._lock = asyncio.Lock()
        self._closing = asyncio.Event()
        self._fenced: Fenced | None = None
        self._lease = 0
        self._held_until = 0.0
        self._registered = False
        self._in_trouble = False
        self._revision: Revision = 0
        self._former: list[int] = []  # leases of predecessors, to be ended

    # ---- what others see -----------------------------------------------------------------------

    @property
    def record(self) -> SessionRecord:
        """As it stands in the meta store, or will once it can be written."""
        return self._record

    @property
    def server_id(self) -> ServerId:
        """Of this process; known once started."""
        assert self._record.server_id, "a server id is taken at the start"
        return self._record.server_id

    @property
    def lease(self) -> int:
        """Of the present registration, 0 when there is none."""
        return self._lease

    @property
    def compare(self) -> ModRevisionIs:
        """True in a transaction as long as this registration stands unchanged."""
        return ModRevisionIs(self._key, self._revision)

    def is_held(self, now: float) -> bool:
        """Whether this process is registered and its lease surely stands at `now` (monotonic)."""
        return self._registered and self._fenced is None and now < self._held_until

    @property
    def held_until(self) -> float:
        """Until when (monotonic seconds) `is_held` is true if nothing else happens; 0.0 = it is
        not."""
        return self._held_until if self._registered and self._fenced is None else 0.0

    # ---- life ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take a server id and register, however long the store can not be reached.

        `Fenced` when a process with a higher server id stands under this node name.
        """
        taken = await retry(self._take_server_id, self._host, pauses=_PAUSES, errors=_AGAIN)
        self._record = replace(self._record, server_id=taken)
        await self._write()
        self._log.info("registered", server_id=taken)

    async def run(self) -> None:
        """Keep the session until `close`; raises `Fenced` when the process was replaced."""
        backoff = Backoff(self._host, _PAUSES)
        pause_s = self._ttl_s / 3
        while not self._closing.is_set():
            await self._pause(pause_s)
            if self._closing.is_set():
                return
            try:
                async with self._lock:
                    await self._keep()
            except Unavailable as error:
                pause_s = backoff.next_s()
                self._trouble(error)
            else:
                backoff.reset()
                pause_s = self._ttl_s / 3
                self._trouble(None)

    async def set_state(self, state: SessionState) -> None:
        """Change the record's state; returns when it is written. `Fenced` as `run`."""
        self._record = replace(self._record, state=state)
        await self._write()

    async def close(self) -> None:
        """Give the session back: the lease is revoked, or ends by itself if that takes 2 s."""
        self._closing.set()
        await pause(self._host.clock, CLOSE_S, self._give_back())

    # ---- inside ----------------------------------------------------------------------------------

    async def _take_server_id(self) -> ServerId:
        key = self._keys.server_id
        last = (await self._meta.get(key)).first
        taken = int(last.value) + 1 if last else 1
        compare = ModRevisionIs(key, last.mod_revision if last else 0)
        result = await self._meta.txn([compare], [Put(key, str(taken).encode())])
        if not result.succeeded:
            raise Conflict("another process took a server id at the same time")
        return taken

    async def _keep(self) -> None:
        """One round: renew the lease, then see that the record stands under it."""
        sent = self._host.clock.monotonic()
        left_s = await self._meta.keep_alive(self._lease) if self._lease else 0
        if left_s > 0:
            self._held_until = sent + left_s
        else:
            self._lose("the lease has ended")
        await self._stand()
        while self._former:
            await self._meta.revoke(self._former[0])
            self._former.pop(0)

    def _trouble(self, error: Unavailable | None) -> None:
        """Say once when the store can not be reached, and once when it can again."""
        if (error is not None) == self._in_trouble:
            return
        self._in_trouble = error is not None
        if error is not None:
            self._log.warning("the session can not be kept", reason=error.message)
        else:
            self._log.info("the session is kept again")

    def _lose(self, reason: str) -> None:
        self._lease = 0
        if self._registered:
            self._registered = False
            self.lost_count += 1
            self._log.warning("the session is lost, registering anew", reason=reason)
            self.changes.announce()

    async def _write(self) -> None:
        """See that the record stands, trying until it does or the session is closed."""
        backoff = Backoff(self._host, _PAUSES)
        while not self._closing.is_set():
            try:
                async with self._lock:
                    await self._stand()
                return
            except Unavailable as error:
                self._trouble(error)
            await self._pause(backoff.next_s())

    async def _stand(self) -> None:
        """Read the record; write it where it differs. Safe to repeat after any outcome."""
        backoff = Backoff(self._host, _PAUSES)
        while not await self._stands():
            await self._pause(backoff.next_s())

    async def _stands(self) -> bool:
        if self._fenced is not None:
            raise self._fenced
        if self._closing.is_set():
            return True
        if not self._lease:
            sent = self._host.clock.monotonic()
            self._lease = await self._meta.grant(self._ttl_s)
            self._held_until = sent + self._ttl_s
        item = (await self._meta.get(self._key)).first
        if item is not None:
            found = decode(item.value, SessionRecord, self._key)
            if found.server_id > self.server_id:
                self._fence(found)
            if found == self._record and item.lease == self._lease:
                self._stood(item.mod_revision)
                return True
        compare = ModRevisionIs(self._key, item.mod_revision if item else 0)
        put = Put(self._key, encode(self._record), self._lease)
        try:
            result = await self._meta.txn([compare], [put])
        except Conflict as error:
            self._lose(error.message)
            return False
        if not result.succeeded:
            return False
        if item is not None and item.lease not in (0, self._lease):
            self._former.append(item.lease)
        self._stood(result.revision)
        return True

    def _stood(self, revision: Revision) -> None:
        if not self._registered or self._revision != revision:
            self._registered, self._revision = True, revision
            self.changes.announce()

    def _fence(self, successor: SessionRecord) -> None:
        self._fenced = Fenced(
            f"{self._record.node_name} is process {successor.server_id} now, "
            f"this is {self.server_id}"
        )
        self._registered = False
        self.changes.announce()
        raise self._fenced

    async def _pause(self, seconds: float) -> None:
        """Wait, or return early when the session is closed."""
        await pause(self._host.clock, seconds, self._closing.wait())

    async def _give_back(self) -> None:
        async with self._lock:
            lease, self._lease, self._registered = self._lease, 0, False
        try:
            if lease:
                await self._meta.revoke(lease)
        except Unavailable as error:
            self._log.warning("the session is left to end by itself", reason=error.message)
