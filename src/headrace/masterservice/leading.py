"""What a leadership of the master service is made of.

Callers that wait when it ends are answered `Fenced` and ask the next leader again.
"""

from collections.abc import Sequence

from headrace.frame.actor import Actor
from headrace.frame.leader_store import LeaderStore
from headrace.frame.surroundings import Surroundings
from headrace.masterservice import events as ev
from headrace.masterservice.effects import Answer, Effect
from headrace.masterservice.machine import MasterMachine
from headrace.masterservice.sequencers.calls import SequencerCalls
from headrace.masterservice.settings import MasterServiceSettings
from headrace.masterservice.shell import MasterShell
from headrace.masterservice.state.load import ensure_pool, load
from headrace.meta.following import SessionWatcher
from headrace.meta.records import Role
from headrace.model.errors import Fenced
from headrace.model.ids import ServerId
from headrace.runtime.callers import Callers
from headrace.runtime.driver import Source


async def lead(
    around: Surroundings[MasterServiceSettings], store: LeaderStore
) -> Actor[MasterMachine, ev.Event]:
    """Read what was recorded and begin.

    `Invalid` when the settings ask for another pool than the cluster was made with, `Corrupt` when
    what stands in the meta store is not what we wrote.
    """
    settings = around.settings
    await ensure_pool(store, around.keys, around.log, settings, around.host)
    loaded = await load(store, around.keys, around.host)
    callers = Callers()
    journal = around.telemetry.journal(Role.MASTER_SERVICE.value, _is_grant)

    def suspect(server_id: ServerId, address: str) -> None:
        actor.post(ev.ProxySuspected(server_id, address), Source.PEER)

    def stand_down(reason: str) -> None:
        actor.end(reason)

    sequencers = SequencerCalls(around, store, suspect)
    shell = MasterShell(around, store, sequencers, callers.answer, stand_down)
    actor: Actor[MasterMachine, ev.Event] = Actor(
        Role.MASTER_SERVICE.value,
        journal.begin(MasterMachine, loaded, settings),
        shell.perform,
        around,
        callers=callers,
        journal=journal,
        ended=Fenced,
    )
    actor.post(ev.LeadershipBegan(), Source.SESSION)
    return actor


def watch_of_proxies(
    around: Surroundings[MasterServiceSettings], actor: Actor[MasterMachine, ev.Event]
) -> SessionWatcher:
    """Tells the machine of the proxies while it runs."""
    watch = SessionWatcher(
        around.meta,
        around.keys,
        Role.PROXY,
        around.host,
        around.telemetry,
        lambda: actor.post(ev.ProxiesListed(tuple(watch.sessions.values())), Source.WATCH),
    )
    return watch


def _is_grant(event: ev.Event, effects: Sequence[Effect]) -> bool:
    """There are thousands of these: they would push everything else out of the journal."""
    given = isinstance(event, ev.GrantAsked | ev.TimestampAsked | ev.IdsAsked)
    return not effects or (given and all(isinstance(effect, Answer) for effect in effects))
