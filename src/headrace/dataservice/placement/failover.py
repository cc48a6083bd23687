"""Failover: when a node counts as gone, by the end of its lease or by suspicion.

A suspicion proves nothing: only our own refused connection or the end of the lease decides. A
second failover on suspicion of the same node within a minute waits 5 s, the next 10 s, doubling;
the end of a lease, or a successor under the same node name, does not wait. A node whose session
ended but that still answers is given a few seconds to register anew: a store that lost all leases
at once must not move every vchannel of the cluster.
"""

from dataclasses import dataclass

from headrace.dataservice.settings import DataServiceSettings
from headrace.frame.suspicion import PastFailovers
from headrace.model.ids import ServerId


@dataclass(slots=True)
class _Sign:
    """What is known of one process."""

    node_name: str
    session: bool = True
    session_lost: float = 0.0
    answered: float = float("-inf")
    gone_at: float | None = None  # refused: gone from here on, unless it answers before
    counted: bool = False  # among the failovers on suspicion


class Failovers:
    """Verdicts. Times are monotonic seconds."""

    def __init__(self, settings: DataServiceSettings) -> None:
        self._settings = settings
        self._signs: dict[ServerId, _Sign] = {}
        self._past = PastFailovers(settings)  # by node name

    def seen(self, server_id: ServerId, node_name: str) -> None:
        """It has a session. Its predecessors under the same node name are gone."""
        for other, sign in list(self._signs.items()):
            if sign.node_name == node_name and other != server_id:
                del self._signs[other]
        sign = self._signs.setdefault(server_id, _Sign(node_name))
        sign.session = True

    def session_ended(self, server_id: ServerId, now: float) -> None:
        """Its session has ended."""
        sign = self._signs.get(server_id)
        if sign is not None and sign.session:
            sign.session, sign.session_lost = False, now

    def answered(self, server_id: ServerId, now: float) -> None:
        """It answered us: no suspicion is left."""
        sign = self._signs.get(server_id)
        if sign is not None:
            sign.answered, sign.gone_at, sign.counted = now, None, False

    def refused(self, server_id: ServerId, now: float) -> None:
        """Our own connection to it was refused."""
        sign = self._signs.get(server_id)
        if sign is not None and sign.gone_at is None:
            sign.gone_at = now + self._past.wait_s(sign.node_name, now)

    def is_gone(self, server_id: ServerId, now: float) -> bool:
        """Whether what it held may be given to others now."""
        sign = self._signs.get(server_id)
        if sign is None:
            return True
        if sign.gone_at is not None and now >= sign.gone_at:
            if not sign.counted and sign.session:
                sign.counted = True
                self._past.note(sign.node_name, now)
            return True
        if sign.session:
            return False
        if sign.gone_at is not None:
            return True  # refused and without a session: the lease has decided
        answers = now - sign.answered <= self._settings.answers_s
        return not answers or now - sign.session_lost >= self._settings.reregister_s

    def forget_gone(self, now: float) -> list[ServerId]:
        """Drop processes without a session that are gone; who they were."""
        gone = [i for i, s in self._signs.items() if not s.session and self.is_gone(i, now)]
        for server_id in gone:
            del self._signs[server_id]
        self._past.forget_old(now)
        return gone
