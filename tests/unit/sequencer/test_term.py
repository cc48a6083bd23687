"""The open term: one append in flight, its outcomes, and trouble."""

from support.players.sequencer import (
    OTHER_VCHANNEL,
    PCHANNEL,
    at,
    entries_of,
    group_of,
    of,
    opened,
    part,
    rows_of,
    sent,
)

from headrace.model.errors import Fenced
from headrace.rpc.messages import AppendResponse
from headrace.sequencer.effects import Append, Look, ReadEnd
from headrace.sequencer.events import (
    AppendAnswered,
    AppendUnanswered,
    DiskRead,
    Found,
    Looked,
)
from headrace.sequencer.machine import SequencerPhase

# ---- one append in flight ------------------------------------------------------------------------


def test_a_row_is_acknowledged_when_it_stands_and_not_before() -> None:
    script = opened()
    call, append = sent(script, "a")
    assert script.answers(call) == []
    script.stands(append)
    [rows] = rows_of(append)
    assert script.answers(call) == [
        AppendResponse(
            outcome="done", timestamp=rows.timestamp, message_id=7, rows=1, deletes=0, version=1
        )
    ]


def test_what_arrives_while_an_append_is_in_flight_is_the_next_group() -> None:
    script = opened()
    _, first = sent(script, "a")
    _, effects_b = script.append(part("b"))
    _, effects_c = script.append(part("c", vchannel=OTHER_VCHANNEL))
    assert of(Append, effects_b + effects_c) == []
    [second] = of(Append, script.stands(first))
    assert second.expected_last == first.expected_last + 1
    assert [r.part_id for r in rows_of(second)] == [part("b").part_id, part("c").part_id]
    assert group_of(second).number == group_of(first).number + 1


def test_timestamps_rise_strictly_with_messages_and_entries() -> None:
    script = opened()
    _, first = sent(script, "a")
    for name in "bcd":
        script.append(part(name))
    [second] = of(Append, script.stands(first))
    stamps = [e.timestamp for e in (*entries_of(first), *entries_of(second))]
    assert stamps == sorted(set(stamps))


def test_a_group_holds_what_one_message_takes_and_the_rest_waits() -> None:
    script = opened(group_bytes_max=2000, entry_bytes_max=1000)
    _, first = sent(script, "a")
    for name in "bcdef":
        script.append(part(name, body=bytes(400)))
    [second] = of(Append, script.stands(first))
    [third] = of(Append, script.stands(second))
    assert [len(rows_of(a)) for a in (second, third)] == [3, 2]


def test_an_answer_that_was_lost_is_found_by_its_bytes() -> None:
    script = opened()
    call, append = sent(script, "a")
    [look] = of(Look, script.tell(AppendUnanswered(append.attempt, 6, "lost")))
    script.tell(Looked(look.attempt, 7, Found.OURS))
    assert script.answers(call)[0].outcome == "done"


def test_absence_is_no_outcome_and_the_same_bytes_are_sent_again() -> None:
    script = opened()
    call, append = sent(script, "a")
    delays = []
    for _ in range(4):
        script.append(part("b"))
        [look] = of(Look, script.tell(AppendUnanswered(append.attempt, 6, "refused")))
        [again] = of(Append, script.tell(Looked(look.attempt, 7, Found.NOTHING)))
        assert (again.expected_last, again.parts) == (append.expected_last, append.parts)
        delays.append(again.delay_s)
    assert delays == [0.05, 0.1, 0.2, 0.4]
    assert script.answers(call) == []


def test_a_refusal_is_no_outcome_either() -> None:
    """A late first try of our own may be what the log refuses the second for."""
    script = opened()
    call, append = sent(script, "a")
    script.tell(AppendUnanswered(append.attempt, 6, "refused"))
    assert script.answers(call) == []
    script.tell(Looked(append.attempt, 7, Found.OURS))
    assert script.answers(call)[0].outcome == "done"


def test_an_answer_that_names_another_id_is_looked_at() -> None:
    script = opened()
    call, append = sent(script, "a")
    [look] = of(Look, script.tell(AppendAnswered(append.attempt, 6, 9)))
    assert look.message_id == 7 and script.answers(call) == []


def test_another_message_in_its_place_means_replaced_and_all_who_wait_are_fenced() -> None:
    script = opened()
    flying, append = sent(script, "a")
    waiting, _ = script.append(part("b"))
    asked, _ = script.seal(at(1))
    script.tell(AppendUnanswered(append.attempt, 6, "refused"))
    effects = script.tell(Looked(append.attempt, 7, Found.ANOTHER))
    for call in (flying, waiting, asked):
        assert isinstance(script.answers(call)[0], Fenced)
    [read] = of(ReadEnd, effects)
    assert read.delay_s == script.settings.restart_s


def test_bytes_that_only_begin_like_ours_are_not_ours() -> None:
    script = opened()
    _, append = sent(script, "a")
    script.tell(AppendUnanswered(append.attempt, 6, "refused"))
    script.tell(Looked(append.attempt, 7, Found.ANOTHER))
    assert script.machine.phase is SequencerPhase.TAKING_OVER


# ---- trouble -------------------------------------------------------------------------------------


def test_rows_are_refused_before_the_disk_of_the_log_is_full() -> None:
    script = opened(log_free_bytes_min=1000)
    script.tell(DiskRead(999))
    call, effects = script.append(part("a"))
    assert of(Append, effects) == []
    [answer] = script.answers(call)
    assert answer.outcome == "full" and "log disk almost full" in answer.reason
    _, effects = script.seal(at(0))
    assert of(Append, effects), "what lets space be given back goes on"
    script.tell(DiskRead(None))
    _, effects = script.append(part("b"))
    assert script.answers(2) == []


def test_when_the_log_is_silent_what_was_not_sent_is_refused_and_what_was_sent_waits() -> None:
    script = opened()
    flying, append = sent(script, "a")
    waiting, _ = script.append(part("b"))
    script.tell(AppendUnanswered(append.attempt, 6, "away"))
    script.tell(Looked(append.attempt, 7, Found.NOTHING))
    script.wait(script.settings.log_silent_s)
    assert script.answers(flying) == []
    assert script.answers(waiting)[0].outcome == "refused"
    later, _ = script.append(part("c"))
    assert "log does not answer" in script.answers(later)[0].reason
    script.stands(append)
    script.wait(0.1)
    assert script.answers(flying)[0].outcome == "done"
    _, effects = script.append(part("d"))
    assert of(Append, effects)


def test_a_request_that_was_sent_waits_for_its_outcome_beyond_its_deadline() -> None:
    script = opened()
    call, append = sent(script, "a", deadline_ms=1000)
    script.wait(2.0)
    assert script.answers(call) == []
    script.stands(append)
    assert script.answers(call)[0].outcome == "done"


def test_more_than_the_queue_takes_is_refused() -> None:
    script = opened(queue_bytes_max=2000)
    sent(script, "a", body=bytes(1000))
    call, _ = script.append(part("b", body=bytes(1000)))
    assert "wait for" in script.answers(call)[0].reason


def test_the_status_names_what_a_person_wants_to_know() -> None:
    script = opened()
    sent(script, "a")
    status = script.machine.status()
    assert status["pchannel"] == PCHANNEL and status["phase"] == "open"
    assert (status["term"], status["waiting"], status["open_segments"]) == (6, 1, 1)
