"""Timestamps: what a grant may be used for."""

from dataclasses import replace

from support.players.sequencer import (
    Script,
    at,
    entries_of,
    of,
    part,
    rows_of,
)

from headrace.sequencer.effects import Append, AskGrant
from headrace.sequencer.events import (
    AppendUnanswered,
    Found,
    GrantUnanswered,
    GrantWithheld,
    Looked,
)
from headrace.sequencer.machine import SequencerPhase


def test_a_group_takes_timestamps_asked_for_after_its_requests_arrived() -> None:
    script = Script(grants=False)
    script.open()
    _, effects = script.append(part("a"))
    [ask] = of(AskGrant, effects)
    script.append(part("b"))
    [append] = of(Append, effects := script.tell(script.grant(ask.asked)))
    assert [r.part_id for r in rows_of(append)] == [part("a").part_id]
    [second_ask] = of(AskGrant, effects)
    assert script.stands(append) == script.effects[-1:]
    [second] = of(Append, script.tell(script.grant(second_ask.asked)))
    assert [r.part_id for r in rows_of(second)] == [part("b").part_id]


def test_grants_asked_for_in_an_earlier_term_are_not_used() -> None:
    script = Script(grants=False)
    script.open()
    script.append(part("a"))
    old = script.asked
    script.tell(replace(script.grant(old), first=at(1)))
    [append] = of(Append, script.effects)[-1:]
    script.append(part("b"))
    late = script.asked
    script.tell(AppendUnanswered(append.attempt, append.expected_last, "refused"))
    script.tell(Looked(append.attempt, 7, Found.ANOTHER))
    assert script.machine.phase is SequencerPhase.TAKING_OVER
    script.tell(script.grant(late))
    assert script.machine.phase is SequencerPhase.TAKING_OVER
    assert late > old


def test_what_is_not_above_the_last_timestamp_of_the_log_is_thrown_away() -> None:
    script = Script(grants=False)
    script.open(timestamp=at(10))
    script.append(part("a", first_sent=at(9)))
    [again] = of(AskGrant, script.tell(replace(script.grant(), first=at(5))))
    assert again.delay_s > 0
    partly = replace(script.grant(again.asked), first=at(10) - 10, count=4096)
    [append] = of(Append, script.tell(partly))
    assert entries_of(append)[0].timestamp == at(10) + 2


def test_only_while_the_master_service_is_away_is_the_rest_of_the_last_grant_used() -> None:
    script = Script(grants=False)
    script.open()
    script.append(part("a"))
    [first] = of(Append, script.tell(script.grant()))
    script.stands(first)
    _, effects = script.append(part("b"))
    [ask] = of(AskGrant, effects)
    effects = script.tell(GrantUnanswered(ask.asked, "away"))
    [second] = of(Append, effects)
    assert entries_of(second)[0].timestamp == entries_of(first)[0].timestamp + 1
    [again] = of(AskGrant, effects)
    assert again.delay_s > 0


def test_without_any_timestamps_requests_wait_to_their_deadline() -> None:
    script = Script(grants=False)
    script.open()
    call, effects = script.append(part("a", deadline_ms=5000))
    [ask] = of(AskGrant, effects)
    script.tell(GrantUnanswered(ask.asked, "away"))
    script.wait(4.9)
    assert script.answers(call) == []
    script.wait(0.2)
    [answer] = script.answers(call)
    assert answer.outcome == "refused" and "master service does not answer" in answer.reason


def test_the_rest_of_a_grant_serves_nothing_that_was_first_sent_far_above_it() -> None:
    """Every entry keeps `first_sent <= timestamp + lead`: a successor's reading rests on it."""
    script = Script(grants=False)
    script.open()
    script.append(part("a"))
    [first] = of(Append, script.tell(script.grant()))
    script.stands(first)
    lead = script.settings.first_sent_lead_s
    call, effects = script.append(part("b", first_sent=at(lead + 5)))
    [ask] = of(AskGrant, effects)
    effects = script.tell(GrantUnanswered(ask.asked, "away"))
    assert of(Append, effects) == [] and script.answers(call) == []
    script.now = lead + 6
    [append] = of(Append, script.tell(script.grant(script.asked)))
    assert rows_of(append)


def test_a_grant_that_is_withheld_leaves_nothing_to_use() -> None:
    script = Script(grants=False)
    script.open()
    script.append(part("a"))
    [first] = of(Append, script.tell(script.grant()))
    script.stands(first)
    _, effects = script.append(part("b"))
    [ask] = of(AskGrant, effects)
    effects = script.tell(GrantWithheld(ask.asked))
    assert of(Append, effects) == []
    [again] = of(AskGrant, effects)
    effects = script.tell(GrantUnanswered(again.asked, "away"))
    assert of(Append, effects) == []


def test_a_newer_grant_replaces_an_older_one() -> None:
    script = Script(grants=False)
    script.open()
    script.append(part("a"))
    [first] = of(Append, script.tell(script.grant()))
    script.append(part("b"))
    grant = replace(script.grant(), first=at(50))
    script.tell(grant)
    [second] = of(Append, script.stands(first))
    assert entries_of(second)[0].timestamp == at(50)
