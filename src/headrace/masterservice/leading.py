"""One leadership of the master service, from its election to its end.

**Owns** the machine, its driver and shell for that time, the callers that wait for it, and the
watch of the proxies. **Does not own** the election and the lease (`service`), or any decision.

Nothing outlives a leadership but what is in the meta store: when it ends, callers that wait are
answered `Fenced` and ask again at whoever leads then.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from headrace.frame.leader_store import LeaderStore
from headrace.log.api import Log
from headrace.masterservice.effects import Answer, Effect
from headrace.masterservice.events import (
    Event,
    GrantAsked,
    IdsAsked,
    LeadershipBegan,
    LeadershipLost,
    ProxiesListed,
    Proxy,
    ProxySuspected,
    TimestampAsked,
)
from headrace.masterservice.machine import MasterMachine
from headrace.masterservice.sequencers.calls import SequencerCalls
from headrace.masterservice.settings import MasterServiceSettings
from headrace.masterservice.shell import MasterShell
from headrace.masterservice.state.load import ensure_pool, load
from headrace.meta.api import MetaStore, ModRevisionIs
from headrace.meta.keys import Keys
from headrace.meta.records import SessionRecord
from headrace.model.errors import Fenced, Unavailable
from headrace.model.ids import ServerId
from headrace.rpc.api import Peers
from headrace.runtime.callers import Callers
from headrace.runtime.crashpoints import CrashPoints
from headrace.runtime.driver import Driver, Source
from headrace.runtime.host import Host
from headrace.runtime.journal import Journal
from headrace.runtime.telemetry import Telemetry


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a leadership is made in; the same for all leaderships of a process."""

    settings: MasterServiceSettings
    host: Host
    telemetry: Telemetry
    keys: Keys
    meta: MetaStore
    log: Log
    peers: Peers
    crash: CrashPoints
    validate: bool = False  # whether the machine's invariants are checked after every step


class Leading:
    """See the module. `run` it once; `ask` and `post` are for while it runs."""

    def __init__(self, around: Surroundings, leads: ModRevisionIs) -> None:
        self._around = around
        self._leads = leads
        self._driver: Driver[Event, Effect] | None = None
        self._machine: MasterMachine | None = None
        self._journal = Journal(routine=_is_grant)
        self._callers = Callers()
        self._over = ""  # why it ended
        self.begun = asyncio.Event()  # all is read; from here on events are heeded

    @property
    def machine(self) -> MasterMachine | None:
        """For `headrace status`; None until all is read."""
        return self._machine

    def story(self, text: str) -> str:
        """The steps of the machine that mention this text."""
        return self._journal.story(text)

    async def run(self) -> str:
        """Read, then lead until the leadership ends; why it did.

        Raises `Invalid` when the settings ask for another pool than the cluster was made with, and
        `Corrupt` when what stands in the meta store is not what we wrote.
        """
        around = self._around
        pauses = around.settings.pauses
        store = LeaderStore(around.meta, self._leads, around.host, pauses)
        try:
            await ensure_pool(store, around.keys, around.log, around.settings, around.host)
            loaded = await load(store, around.keys, around.host)
        except Fenced as error:
            return error.message
        sequencers = SequencerCalls(
            store=store,
            keys=around.keys,
            peers=around.peers,
            host=around.host,
            log=around.telemetry.log,
            pauses=pauses,
            timeout_s=around.settings.ddl_call_timeout_s,
            suspect=self.suspect,
        )
        shell = MasterShell(
            settings=around.settings,
            host=around.host,
            telemetry=around.telemetry,
            keys=around.keys,
            peers=around.peers,
            store=store,
            sequencers=sequencers,
            answer=self._callers.answer,
            stand_down=self._stand_down,
            crash=around.crash,
        )
        self._machine = self._journal.begin(MasterMachine, loaded, around.settings)
        self._driver = Driver(
            self._machine,
            shell.perform,
            around.host.clock,
            name="master-service",
            journal=self._journal.record,
            validate=around.validate,
        )
        self._driver.post(LeadershipBegan(), Source.SESSION)
        if self._over:
            self._driver.post(LeadershipLost(self._over), Source.SESSION)
            self._over = ""
        self.begun.set()
        try:
            with self._journal.told_on_assertion("the master service"):
                await self._driver.run()
        finally:
            self._end(self._over or "the leadership was ended")
        return self._over

    async def ask(self, make: Callable[[int], Event]) -> Any:
        """Post an event that carries a call and wait for its answer, or raise it if it is an error.

        `Unavailable` while the leadership still reads what was recorded, `Fenced` when it ended.
        """
        if self._over:
            raise Fenced(self._over)
        if self._driver is None:
            raise Unavailable("the master service begins to lead")
        return await self._callers.ask(self._driver.post, make)

    def suspect(self, server_id: ServerId, address: str) -> None:
        """Somebody's connection to that proxy was refused."""
        self._post(ProxySuspected(server_id, address), Source.PEER)

    def proxies(self, sessions: list[SessionRecord]) -> None:
        """The proxies that have a session now."""
        listed = tuple(Proxy(s.node_name, s.server_id, s.address, s.state) for s in sessions)
        self._post(ProxiesListed(listed), Source.WATCH)

    def lost(self, reason: str) -> None:
        """The lease or the leader key has gone."""
        if self._driver is None:
            self._over = reason
        else:
            self._driver.post(LeadershipLost(reason), Source.SESSION)

    def _post(self, event: Event, source: Source) -> None:
        if self._driver is not None:
            self._driver.post(event, source)

    def _stand_down(self, reason: str) -> None:
        self._over = reason
        assert self._driver is not None
        self._driver.stop()

    def _end(self, reason: str) -> None:
        self._over = reason
        self._callers.refuse_all(Fenced(reason))


def _is_grant(event: Event, effects: Sequence[Effect]) -> bool:
    """There are thousands of these: they would push everything else out of the journal."""
    given = isinstance(event, GrantAsked | TimestampAsked | IdsAsked)
    return not effects or (given and all(isinstance(effect, Answer) for effect in effects))
