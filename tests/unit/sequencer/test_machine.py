"""The sequencer of one pchannel: phases, and who is told that they ask the wrong process."""

from support.players.sequencer import ME, Script, at, of, part, past, view

from headrace.model.errors import Corrupt, Fenced, Unavailable
from headrace.rpc.messages import Done, PositionResponse
from headrace.sequencer.effects import Append, Look, ReadEnd, ReadMeta
from headrace.sequencer.events import (
    AppendUnanswered,
    AssignmentRead,
    CorruptRead,
    Found,
    Looked,
    MetaRead,
    PositionAsked,
    StopAsked,
    WindowRead,
)
from headrace.sequencer.machine import SequencerPhase


def test_a_process_that_is_not_wished_stays_idle() -> None:
    script = Script()
    assert script.tell(AssignmentRead(ME + 1, 10)) == []
    assert script.machine.phase is SequencerPhase.IDLE


def test_who_does_not_sequence_answers_fenced() -> None:
    script = Script()
    call, _ = script.append(part("a"))
    [answer] = script.answers(call)
    assert isinstance(answer, Fenced)


def test_who_takes_over_is_busy_and_says_that_nothing_was_appended() -> None:
    script = Script()
    script.reading()
    call, _ = script.append(part("a"))
    [answer] = script.answers(call)
    assert answer.outcome == "refused" and "busy" in answer.reason
    script.tell(PositionAsked(99))
    assert isinstance(script.answers(99)[0], Unavailable)


def test_the_last_position_is_that_of_the_last_message_known_to_stand() -> None:
    script = Script()
    script.open()
    script.tell(PositionAsked(99))
    [answer] = script.answers(99)
    assert isinstance(answer, PositionResponse)
    assert (answer.position.message_id, answer.position.timestamp) == (6, at(-1) + 1)


def test_another_assignment_ends_the_term_once_what_was_sent_has_its_outcome() -> None:
    script = Script()
    script.open()
    sent, effects = script.append(part("a"))
    waits, _ = script.append(part("b"))
    [append] = of(Append, effects)
    script.tell(AssignmentRead(ME + 1, 11))
    assert script.machine.phase is SequencerPhase.DRAINING
    assert isinstance(script.answers(waits)[0], Fenced)
    assert script.answers(sent) == []
    late, _ = script.append(part("c"))
    assert isinstance(script.answers(late)[0], Fenced)
    script.stands(append)
    assert script.answers(sent)[0].outcome == "done"
    assert script.machine.phase is SequencerPhase.IDLE


def test_another_assignment_ends_a_failover_at_once() -> None:
    script = Script()
    read = script.standing()
    script.tell(AssignmentRead(ME + 1, 11))
    assert script.machine.phase is SequencerPhase.IDLE
    assert script.tell(MetaRead(read.attempt, view())) == []


def test_an_older_assignment_does_not_undo_a_newer_one() -> None:
    script = Script()
    script.tell(AssignmentRead(ME + 1, 11))
    script.tell(AssignmentRead(ME, 10))
    assert script.machine.phase is SequencerPhase.IDLE


def test_a_process_that_is_wished_again_appends_a_new_term_start() -> None:
    script = Script()
    script.open()
    script.tell(AssignmentRead(ME + 1, 11))
    effects = script.tell(AssignmentRead(ME, 12))
    assert of(ReadEnd, effects)


def test_who_is_asked_to_stop_answers_when_nothing_is_on_its_way() -> None:
    script = Script()
    script.open()
    _, effects = script.append(part("a"))
    [append] = of(Append, effects)
    script.tell(StopAsked(90))
    assert script.answers(90) == []
    script.stands(append)
    assert script.answers(90) == [Done()]
    assert script.machine.phase is SequencerPhase.IDLE


def test_who_was_asked_to_stop_waits_for_a_new_assignment() -> None:
    script = Script()
    script.open()
    script.tell(StopAsked(90))
    assert of(ReadEnd, script.wait(1.0)) == []
    assert of(ReadEnd, script.tell(AssignmentRead(ME, 11)))


def test_a_stop_that_no_assignment_follows_is_forgotten() -> None:
    """The master service may have died between asking and writing: one process has to sequence."""
    script = Script()
    script.open()
    script.tell(StopAsked(90))
    assert of(ReadEnd, script.wait(script.settings.stop_forgotten_s))


def test_a_process_that_ends_does_not_start_again() -> None:
    script = Script()
    script.open()
    script.tell(StopAsked(90, for_good=True))
    assert of(ReadEnd, script.wait(100.0)) == []
    assert of(ReadEnd, script.tell(AssignmentRead(ME, 11))) == []


def test_a_term_start_in_whose_place_another_stands_is_replaced_and_tried_again() -> None:
    script = Script()
    start = script.candidate(last=5)
    [look] = of(Look, script.tell(AppendUnanswered(start.attempt, 5, "refused")))
    assert look.message_id == 6
    effects = script.tell(Looked(look.attempt, 6, Found.ANOTHER))
    [read] = of(ReadEnd, effects)
    assert read.delay_s > 0 and read.attempt > start.attempt


def test_a_term_start_whose_answer_was_lost_is_found_by_its_bytes() -> None:
    script = Script()
    start = script.candidate(last=5)
    [look] = of(Look, script.tell(AppendUnanswered(start.attempt, 5, "lost")))
    effects = script.tell(Looked(look.attempt, 6, Found.OURS))
    assert of(ReadMeta, effects)


def test_absence_is_no_outcome_of_a_term_start() -> None:
    script = Script()
    start = script.candidate(last=5)
    [look] = of(Look, script.tell(AppendUnanswered(start.attempt, 5, "refused")))
    [again] = of(Append, script.tell(Looked(look.attempt, 6, Found.NOTHING)))
    assert (again.expected_last, again.parts) == (start.expected_last, start.parts)


def test_what_is_not_what_we_wrote_stops_this_channel_and_says_so() -> None:
    script = Script()
    read = script.standing()
    script.tell(CorruptRead(read.attempt, "nonsense"))
    assert script.machine.phase is SequencerPhase.CORRUPT
    call, _ = script.append(part("a"))
    assert isinstance(script.answers(call)[0], Corrupt)
    assert script.machine.status()["reason"] == "nonsense"
    assert of(ReadEnd, script.tell(AssignmentRead(ME, 99))) == []


def test_answers_of_an_earlier_attempt_are_ignored() -> None:
    script = Script()
    read = script.reading()
    script.tell(AssignmentRead(ME + 1, 11))
    script.tell(AssignmentRead(ME, 12))
    assert script.tell(WindowRead(read.attempt, past())) == []
    assert script.machine.phase is SequencerPhase.TAKING_OVER
