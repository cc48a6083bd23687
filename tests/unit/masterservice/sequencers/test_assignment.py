"""Which proxy sequences which pchannel."""

from collections import Counter

from headrace.masterservice.effects import Effect, StopSequencer, TryConnection, WriteSequencer
from headrace.masterservice.events import Reached
from headrace.masterservice.sequencers.assignment import SequencerAssignments, Stood
from headrace.masterservice.settings import MasterServiceSettings
from headrace.meta.records import Role, SequencerRecord, SessionRecord, SessionState
from headrace.model.ids import ServerId

SETTINGS = MasterServiceSettings()
POOL = tuple(f"p-{n}" for n in range(16))
HEALTHY = SessionState.HEALTHY


def proxy(server_id: ServerId, name: str = "", state: SessionState = HEALTHY) -> SessionRecord:
    return SessionRecord(
        role=Role.PROXY,
        node_name=name or f"proxy-{server_id}",
        server_id=server_id,
        address=f"host:{server_id}",
        state=state,
    )


class Assignments:
    """Plays the shell of `SequencerAssignments`: each order is carried out at once, if not held."""

    def __init__(
        self, stood: dict[str, Stood] | None = None, settings: MasterServiceSettings = SETTINGS
    ) -> None:
        self.part = SequencerAssignments(POOL, stood or {}, settings)
        self.now = 0.0
        self.revision = 10
        self.written: list[WriteSequencer] = []
        self.stops: list[StopSequencer] = []
        self.tries: list[TryConnection] = []
        self.reach: dict[ServerId, Reached] = {}

    def do(self, effects: list[Effect]) -> None:
        queue = list(effects)
        while queue:
            effect = queue.pop(0)
            self.part.validate()
            match effect:
                case WriteSequencer():
                    self.written.append(effect)
                    self.revision += 1
                    queue += self.part.stands(
                        effect.pchannel, effect.record, self.revision, self.now
                    )
                case StopSequencer():
                    self.stops.append(effect)
                    queue += self.part.stopped(effect.pchannel, self.now)
                case TryConnection():
                    self.tries.append(effect)
                    reached = self.reach.get(effect.server_id, Reached.THERE)
                    queue += self.part.tried(effect.server_id, reached, self.now)
                case _:
                    raise AssertionError(effect)

    def listed(self, *proxies: SessionRecord) -> None:
        self.do(self.part.listed(proxies, self.now))

    def pass_time(self, seconds: float) -> None:
        until = self.now + seconds
        while (due := self.part.due(self.now)) is not None and due <= until:
            self.now = due
            self.do(self.part.time_passed(self.now))
        self.now = until

    def owners(self) -> Counter[ServerId]:
        return Counter(r.server_id for r in self.part.wanted().values())

    def forget(self) -> None:
        self.written, self.stops, self.tries = [], [], []


def test_nothing_is_written_before_the_proxies_are_listed() -> None:
    assignments = Assignments()
    assignments.pass_time(10)
    assert assignments.written == []


def test_at_first_start_they_are_spread_evenly() -> None:
    assignments = Assignments()
    assignments.listed(proxy(1), proxy(2), proxy(3))
    assert sorted(assignments.owners().values()) == [5, 5, 6]
    assert assignments.stops == [], "nobody has to be asked to stop"
    assert all(w.revision == 0 for w in assignments.written)


def test_a_proxy_that_is_not_healthy_yet_gets_none() -> None:
    assignments = Assignments()
    assignments.listed(proxy(1, state=SessionState.INITIALIZING), proxy(2))
    assert assignments.owners() == {2: 16}


def test_when_one_comes_the_fewest_move_and_each_is_asked_to_stop_first() -> None:
    assignments = Assignments()
    assignments.listed(proxy(1), proxy(2))
    assignments.forget()
    assignments.listed(proxy(1), proxy(2), proxy(3))
    assert assignments.written == [], "proxies that come together are met by one set of moves"
    assignments.pass_time(1.0)
    assert sorted(assignments.owners().values()) == [5, 5, 6]
    assert len(assignments.written) == 5
    assert [s.pchannel for s in assignments.stops] == [w.pchannel for w in assignments.written]
    assignments.pass_time(60)
    assert len(assignments.written) == 5, "what is even stays"


def test_only_a_few_pchannels_stand_still_for_planned_moves() -> None:
    part = SequencerAssignments(POOL, {}, SETTINGS)
    for effect in part.listed([proxy(1)], 0.0):
        assert isinstance(effect, WriteSequencer)
        part.stands(effect.pchannel, effect.record, 5, 0.0)
    part.listed([proxy(1), proxy(2)], 10.0)
    effects = part.time_passed(11.0)
    assert len(effects) == SETTINGS.moves_at_once
    assert all(isinstance(e, StopSequencer) for e in effects)
    part.validate()


def test_when_a_lease_ends_its_pchannels_move_at_once_and_no_others() -> None:
    assignments = Assignments()
    assignments.listed(proxy(1), proxy(2), proxy(3))
    before = dict(assignments.part.wanted())
    assignments.forget()
    assignments.listed(proxy(1), proxy(3))
    moved = [w.pchannel for w in assignments.written]
    assert moved == [p for p in POOL if before[p].server_id == 2]
    assert {w.reason for w in assignments.written} == {"lease"}
    assert assignments.stops == []
    assert sorted(assignments.owners().values()) == [8, 8]


def test_a_successor_under_the_same_node_name_takes_over_when_it_is_healthy() -> None:
    assignments = Assignments()
    assignments.listed(proxy(1, "proxy-a"))
    assignments.forget()
    assignments.listed(proxy(2, "proxy-a", SessionState.INITIALIZING))
    assert assignments.written == []
    assignments.listed(proxy(2, "proxy-a"))
    assert assignments.owners() == {2: 16}
    assert {w.reason for w in assignments.written} == {"successor"}


def test_others_take_over_at_once_when_a_successor_only_begins() -> None:
    assignments = Assignments()
    assignments.listed(proxy(1, "proxy-a"), proxy(2, "proxy-b"))
    assignments.listed(proxy(3, "proxy-a", SessionState.INITIALIZING), proxy(2, "proxy-b"))
    assert assignments.owners() == {2: 16}


def test_a_stopping_proxy_is_drained() -> None:
    assignments = Assignments()
    assignments.listed(proxy(1), proxy(2))
    assignments.forget()
    assignments.listed(proxy(1, state=SessionState.STOPPING), proxy(2))
    assert assignments.owners() == {2: 16}
    assert len(assignments.stops) == 8


def test_timestamps_go_only_to_the_process_that_the_record_names() -> None:
    part = SequencerAssignments(POOL, {}, SETTINGS)
    orders = part.listed([proxy(1)], 0.0)
    first = orders[0]
    assert isinstance(first, WriteSequencer)
    assert part.granted(1, POOL) == (), "the record is on its way"
    part.stands(first.pchannel, first.record, 5, 0.0)
    assert part.granted(1, POOL) == (first.pchannel,)
    assert part.granted(2, POOL) == ()


def test_while_a_record_is_on_its_way_nobody_gets_timestamps() -> None:
    record = SequencerRecord(server_id=1, node_name="proxy-1", address="host:1")
    part = SequencerAssignments(POOL[:1], {"p-0": Stood(record, 5)}, SETTINGS)
    part.listed([proxy(1)], 0.0)
    assert part.granted(1, POOL) == ("p-0",)
    part.listed([proxy(1, state=SessionState.STOPPING), proxy(2)], 1.0)
    assert part.granted(1, POOL) == ("p-0",), "it is only asked to stop"
    part.stopped("p-0", 1.0)
    assert part.granted(1, POOL) == ()
    assert part.granted(2, POOL) == ()


def test_what_stands_is_taken_over_as_it_is_by_a_new_leader() -> None:
    stood = {
        p: Stood(
            SequencerRecord(server_id=n % 2 + 1, node_name=f"proxy-{n % 2 + 1}", address="a"), 7
        )
        for n, p in enumerate(POOL)
    }
    assignments = Assignments(stood)
    assignments.listed(proxy(1), proxy(2))
    assignments.pass_time(60)
    assert assignments.written == []


def test_a_write_that_found_another_record_goes_on_from_that() -> None:
    part = SequencerAssignments(POOL[:1], {}, SETTINGS)
    part.listed([proxy(1)], 0.0)
    found = SequencerRecord(server_id=9, node_name="proxy-9", address="host:9")
    again = part.stands("p-0", found, 33, 0.0)
    assert again == [
        WriteSequencer(
            "p-0",
            SequencerRecord(server_id=1, node_name="proxy-1", address="host:1"),
            33,
            "lease",
        )
    ]


def test_when_the_target_of_a_move_goes_meanwhile_the_old_one_is_written_again() -> None:
    part = SequencerAssignments(POOL[:2], {}, SETTINGS)
    for effect in part.listed([proxy(1)], 0.0):
        assert isinstance(effect, WriteSequencer)
        part.stands(effect.pchannel, effect.record, 5, 0.0)
    part.listed([proxy(1), proxy(2)], 1.0)
    (stop,) = part.time_passed(2.5)
    assert isinstance(stop, StopSequencer)
    part.listed([proxy(1)], 2.6)
    (write,) = part.stopped(stop.pchannel, 2.7)
    assert isinstance(write, WriteSequencer)
    assert (write.record.server_id, write.revision) == (1, 5)


def test_a_suspected_proxy_is_tried_and_only_the_own_attempt_decides() -> None:
    assignments = Assignments()
    assignments.listed(proxy(1), proxy(2))
    assignments.forget()
    assignments.do(assignments.part.suspected(1, "host:1", 0.0))
    assert [t.server_id for t in assignments.tries] == [1]
    assert assignments.written == []
    assignments.reach[1] = Reached.SILENT
    assignments.do(assignments.part.suspected(1, "host:1", 0.0))
    assert assignments.written == [], "a process that does not answer is left to its lease"
    assignments.reach[1] = Reached.GONE
    assignments.do(assignments.part.suspected(1, "host:1", 0.0))
    assert assignments.owners() == {2: 16}
    assert {w.reason for w in assignments.written} == {"suspicion"}


def test_one_attempt_at_a_time_and_none_for_who_has_no_session() -> None:
    part = SequencerAssignments(POOL, {}, SETTINGS)
    part.listed([proxy(1), proxy(2)], 0.0)
    assert len(part.suspected(1, "host:1", 0.0)) == 1
    assert part.suspected(1, "host:1", 0.0) == []
    assert part.suspected(7, "host:7", 0.0) == []
    assert part.suspected(2, "host:elsewhere", 0.0) == []


def test_a_second_take_over_on_suspicion_within_a_minute_waits_and_doubles() -> None:
    assignments = Assignments()
    assignments.listed(proxy(1), proxy(2))
    waits = []
    for suspect in (1, 2, 1):
        assignments.reach = {suspect: Reached.GONE}
        assignments.forget()
        began = assignments.now
        assignments.do(assignments.part.suspected(suspect, f"host:{suspect}", assignments.now))
        while assignments.owners()[suspect]:
            assignments.pass_time(0.5)
        waits.append(assignments.now - began)
        assignments.reach = {}
        assignments.pass_time(SETTINGS.suspect_retry_s)
    assert waits[0] == 0
    assert 5 <= waits[1] < 6
    assert 10 <= waits[2] < 11


def test_after_a_quiet_minute_a_take_over_on_suspicion_does_not_wait() -> None:
    assignments = Assignments()
    assignments.listed(proxy(1), proxy(2))
    assignments.reach = {1: Reached.GONE}
    assignments.do(assignments.part.suspected(1, "host:1", 0.0))
    assignments.reach = {}
    assignments.pass_time(70)
    assert assignments.owners() == {1: 8, 2: 8}, "it answers again and gets its share"
    assignments.reach = {2: Reached.GONE}
    assignments.do(assignments.part.suspected(2, "host:2", assignments.now))
    assert assignments.owners() == {1: 16}


def test_the_end_of_a_lease_does_not_wait_for_suspicion() -> None:
    assignments = Assignments()
    assignments.listed(proxy(1), proxy(2))
    assignments.reach = {1: Reached.GONE}
    assignments.do(assignments.part.suspected(1, "host:1", 0.0))
    assignments.reach = {}
    assignments.pass_time(10)
    assignments.reach = {2: Reached.GONE}
    assignments.do(assignments.part.suspected(2, "host:2", assignments.now))
    assert assignments.owners()[2] > 0, "it waits"
    assignments.listed(proxy(1))
    assert assignments.owners() == {1: 16}


def test_a_proxy_found_gone_gets_nothing_until_it_answers() -> None:
    assignments = Assignments()
    assignments.listed(proxy(1), proxy(2))
    assignments.reach = {1: Reached.GONE}
    assignments.do(assignments.part.suspected(1, "host:1", 0.0))
    assignments.pass_time(30)
    assert assignments.owners() == {2: 16}
    assert len(assignments.tries) > 5, "it has a session: it is tried again"
    assignments.reach = {}
    assignments.pass_time(5)
    assert assignments.owners() == {1: 8, 2: 8}


def test_without_any_usable_proxy_the_assignments_stay() -> None:
    assignments = Assignments()
    assignments.listed(proxy(1))
    assignments.forget()
    assignments.reach = {1: Reached.GONE}
    assignments.do(assignments.part.suspected(1, "host:1", 0.0))
    assignments.pass_time(20)
    assignments.listed()
    assert assignments.written == []
    assignments.listed(proxy(5))
    assert assignments.owners() == {5: 16}
