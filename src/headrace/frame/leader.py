"""A role of which one process leads and the others stand by.

**Owns** the campaign, the life of each leadership, and what a process that does not lead answers.
**Does not own** what a leadership is made of (the role's `leading`) or who leads (`meta.election`).

Those that stand by are registered and HEALTHY and answer how they are; everything else they answer
`Fenced`, so that the caller looks for the leader, but for requests whose `Ask` says otherwise. A
leadership ends with its key, with its lease, or when a transaction finds another leader; the
process then campaigns again. Nothing outlives a leadership but what is in the meta store.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from prometheus_client import Gauge

from headrace.frame.actor import Actor, Ask, Ev, M
from headrace.frame.leader_store import LeaderStore
from headrace.frame.service import RoleService
from headrace.frame.surroundings import Surroundings
from headrace.meta.election import Election, Leadership
from headrace.meta.session import Session
from headrace.model.errors import Fenced, HeadraceError, Unavailable
from headrace.rpc.api import Handler
from headrace.runtime.retry import Pauses
from headrace.runtime.supervise import TaskGroup


class LeaderSettings(Protocol):
    """What is needed of the settings of such a role."""

    @property
    def lease_ttl_s(self) -> int:
        """How long after its last sign of life a leader is replaced."""
        ...

    @property
    def pauses(self) -> Pauses:
        """Between the tries of what is repeated."""
        ...


S = TypeVar("S", bound=LeaderSettings)


class LeaderService(RoleService[S], Generic[S, M, Ev]):
    """See the module. `leads` is 1 while this process leads."""

    def __init__(self, around: Surroundings[S], *, leads: Gauge) -> None:
        super().__init__(around, ttl_s=around.settings.lease_ttl_s)
        self.actor: Actor[M, Ev] | None = None  # of the present leadership, once it has begun
        self.leadership: Leadership | None = None
        self._leads = leads

    @abstractmethod
    def asks(self) -> Sequence[Ask[Any, Ev]]:
        """The requests that a leader's machine answers."""

    @abstractmethod
    async def lead(self, store: LeaderStore, group: TaskGroup) -> Actor[M, Ev]:
        """Read what was recorded and make the machine; spawn in `group`, which lives as long as the
        leadership, what tells it of changes. `Fenced` when another process leads by now."""

    def handlers(self) -> Mapping[type, Handler]:
        """Requests that become events of the leader's machine."""
        return {ask.request: self._handler(ask) for ask in self.asks()}

    def begin(self, group: TaskGroup, session: Session) -> None:
        """Stand for election from the registration on."""
        group.spawn("election", self._campaign(session), must_not_end=True)

    def present(self, not_leading: type[HeadraceError] = Fenced) -> Actor[M, Ev]:
        """The machine of the present leadership, or the error that says there is none."""
        name, role = self.around.node_name, self.role.value
        if self.leadership is None:
            raise not_leading(f"{name} does not lead the {role}")
        if self.actor is None:
            raise Unavailable(f"{name} begins to lead the {role}")
        return self.actor

    def _handler(self, ask: Ask[Any, Ev]) -> Handler:
        async def answer(request: Any) -> Any:
            return await self.present(ask.not_leading).ask(lambda call: ask.event(call, request))

        return answer

    async def _campaign(self, session: Session) -> None:
        around = self.around
        election = Election(
            meta=around.meta,
            keys=around.keys,
            host=around.host,
            telemetry=around.telemetry,
            session=session,
        )
        while True:
            self.leadership = await election.lead()
            self._leads.set(1)
            try:
                reason = await self._lead(election, self.leadership)
            finally:
                self.actor = self.leadership = None
                self._leads.set(0)
            around.telemetry.log.warning("the leadership ended", reason=reason)

    async def _lead(self, election: Election, leadership: Leadership) -> str:
        """One leadership; why it ended."""
        around, lost = self.around, ""
        store = LeaderStore(around.meta, leadership.compare, around.host, around.settings.pauses)

        async def notice_end() -> None:
            nonlocal lost
            lost = await election.ended(leadership)
            if self.actor is not None:
                self.actor.end(lost)

        async with TaskGroup("leadership") as group:
            group.spawn("end", notice_end())
            try:
                actor = await self.lead(store, group)
            except Fenced as error:
                reason = error.message
            else:
                if lost:
                    actor.end(lost)
                self.actor = actor
                reason = await actor.run()
            group.cancel()
        return reason
