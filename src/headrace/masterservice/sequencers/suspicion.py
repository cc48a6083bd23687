"""Suspicion: when a proxy that still has a session is treated as gone, and how soon again.

A report of a refused or reset connection proves nothing: the leader tries its own, and only that
or the end of the lease decides. A second failover on suspicion of the same pchannel or node within
a minute waits 5 s, a third 10 s, and so on; the end of a lease, or a successor process under the
same node name, does not wait and does not ask here.
"""

from collections.abc import Iterable

from headrace.frame.suspicion import PastFailovers
from headrace.masterservice.settings import MasterServiceSettings
from headrace.model.channel import PChannel
from headrace.model.ids import ServerId

NODE = "node "  # before a node's name among the names of pchannels


class Suspicions:
    """Who is suspected. Times are monotonic seconds."""

    def __init__(self, settings: MasterServiceSettings) -> None:
        self._settings = settings
        self._trying: dict[ServerId, None] = {}
        self._retry_at: dict[ServerId, float] = {}  # of those found gone
        self._ready_at: dict[PChannel, float] = {}  # when what they held may move
        self._past = PastFailovers(settings)  # of pchannels and nodes

    def begin_try(self, server_id: ServerId) -> bool:
        """Whether an own attempt should be made now: none is under way."""
        if server_id in self._trying:
            return False
        self._trying[server_id] = None
        return True

    def is_gone(self, server_id: ServerId) -> bool:
        return server_id in self._retry_at

    def found_gone(
        self, server_id: ServerId, node_name: str, held: Iterable[PChannel], now: float
    ) -> None:
        """The own attempt was refused; what it held may move, at once or after a wait."""
        self._trying.pop(server_id, None)
        first = server_id not in self._retry_at
        self._retry_at[server_id] = now + self._settings.suspect_retry_s
        if not first:
            return
        node_wait = self._past.wait_s(NODE + node_name, now)
        for pchannel in held:
            self._ready_at[pchannel] = now + max(node_wait, self._past.wait_s(pchannel, now))
        self._past.note(NODE + node_name, now)

    def found_there(self, server_id: ServerId) -> bool:
        """The own attempt reached it, or decided nothing; whether it was treated as gone."""
        self._trying.pop(server_id, None)
        return self._retry_at.pop(server_id, None) is not None

    def undecided(self, server_id: ServerId, now: float) -> None:
        """The attempt ended without a decision; what was believed before stands."""
        self._trying.pop(server_id, None)
        if server_id in self._retry_at:
            self._retry_at[server_id] = now + self._settings.suspect_retry_s

    def ready(self, pchannel: PChannel, now: float) -> bool:
        return now >= self._ready_at.get(pchannel, now)

    def failed_over(self, pchannel: PChannel, now: float) -> None:
        """A pchannel moves on suspicion."""
        self._ready_at.pop(pchannel, None)
        self._past.note(pchannel, now)

    def keep_only(self, server_ids: Iterable[ServerId], now: float) -> None:
        """Forget processes without a session, and failovers that are long past."""
        there = dict.fromkeys(server_ids)
        self._trying = {i: None for i in self._trying if i in there}
        self._retry_at = {i: at for i, at in self._retry_at.items() if i in there}
        self._past.forget_old(now)

    def due_to_retry(self, now: float) -> list[ServerId]:
        return [i for i, at in self._retry_at.items() if at <= now and i not in self._trying]

    def due(self, now: float) -> float | None:
        """When something of this should be looked at next: above `now`."""
        retries = [at for i, at in self._retry_at.items() if i not in self._trying]
        return min((at for at in (*retries, *self._ready_at.values()) if at > now), default=None)
