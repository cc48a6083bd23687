"""Calls to the process that leads the master service or the data service now.

A call is repeated until it is answered or the client's time is over. That is safe: every request to
these roles is made so that a repetition finds what the first one did.
"""

from typing import Any

from headrace.meta.following import Following
from headrace.meta.records import LeaderRecord, Role
from headrace.model.errors import Conflict, Fenced, Unavailable
from headrace.proxy.call import ClientCall
from headrace.proxy.errors import Ending
from headrace.proxy.settings import ProxySurroundings
from headrace.rpc.api import NotSent
from headrace.runtime.race import pause
from headrace.runtime.retry import Backoff


class Leaders:
    """The leaders of both service roles, as the meta store names them."""

    def __init__(self, around: ProxySurroundings) -> None:
        self._keys = around.keys
        self._peers = around.peers
        self._host = around.host
        self._settings = around.settings
        self._copy = Following(
            around.meta, around.keys.leader(""), LeaderRecord, around.host, around.telemetry
        )

    async def run(self) -> None:
        """Follow the elections for ever."""
        await self._copy.run()

    async def found(self) -> None:
        """Return when both roles have a leader."""
        roles = (Role.MASTER_SERVICE, Role.DATA_SERVICE)
        await self._copy.changes.until(lambda: all(map(self.leader, roles)))

    def leader(self, role: Role) -> LeaderRecord | None:
        """The leader of a role, as far as is known."""
        return self._copy.items.get(self._keys.leader(role))

    async def call(self, role: Role, request: Any, call: ClientCall) -> Any:
        """The leader's answer. Repeats a call that found no leader, was lost or met a former one.

        What the leader refuses is raised as it is. When the client's time is over: `UNAVAILABLE` if
        no leader can have heard of it, else `DEADLINE_EXCEEDED`.
        """
        backoff = Backoff(self._host, self._settings.pauses)
        asked = arrived = False
        last: Exception | None = None
        while call.remaining_s > 0 or not asked:
            changes = self._copy.changes.count
            leader = self.leader(role)
            if leader is not None:
                timeout_s = min(self._settings.append_timeout_s, max(call.remaining_s, 0.001))
                try:
                    return await self._peers.call(leader.address, request, timeout_s=timeout_s)
                except NotSent as error:
                    last = error
                except (Unavailable, Fenced, Conflict) as error:
                    arrived, last = True, error
            asked = True
            changed = self._copy.changes.after(changes)
            await pause(self._host.clock, min(backoff.next_s(), call.remaining_s), changed)
        ending = Ending.NOT_ANSWERED if arrived else Ending.NOT_ASKED
        raise ending(role=role, reason=last or "it has no leader")
