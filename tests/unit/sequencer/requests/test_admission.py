"""Parts at the door: repeats, the floors of the window, parts that cannot be."""

import pytest
from support.players.sequencer import (
    at,
    collection,
    ddl,
    entries_of,
    of,
    opened,
    part,
    rows_of,
    sent,
)

from headrace.model.entry import DdlKind, Tick
from headrace.model.errors import Invalid
from headrace.sequencer.effects import AnswerStored, Append


def test_a_repeat_waits_for_the_first_and_then_gets_its_result_from_the_log() -> None:
    script = opened()
    first, append = sent(script, "a")
    again, effects = script.append(part("a"))
    assert effects == [] and script.answers(again) == []
    effects = script.stands(append)
    assert script.answers(first)[0].outcome == "done"
    [stored] = of(AnswerStored, effects)
    assert (stored.call, stored.message_id, stored.part_id) == (again, 7, part("a").part_id)


def test_a_repeat_of_what_stands_is_answered_from_the_log() -> None:
    script = opened()
    _, append = sent(script, "a")
    script.stands(append)
    again, effects = script.append(part("a", version=99))
    [stored] = of(AnswerStored, effects)
    assert (stored.call, stored.message_id, stored.index) == (again, 7, 0)


def test_a_repeat_of_a_part_that_waits_joins_it() -> None:
    script = opened()
    _, append = sent(script, "a")
    script.append(part("b"))
    script.append(part("b"))
    [second] = of(Append, script.stands(append))
    assert len(rows_of(second)) == 1


@pytest.mark.parametrize("when", ["waiting", "standing"])
def test_another_request_under_the_same_key_is_invalid(when: str) -> None:
    script = opened()
    _, append = sent(script, "a", keyed=True)
    if when == "standing":
        script.stands(append)
    other, effects = script.append(part("a", keyed=True, fingerprint=b"something else"))
    [error] = script.answers(other)
    assert isinstance(error, Invalid) and error.field == "idempotency-key"
    assert of(Append, effects) == []


def test_ids_are_looked_up_before_versions() -> None:
    script = opened()
    _, append = sent(script, "a")
    script.stands(append)
    _, effects = script.ddl(collection(2, noted=1), ddl(2, DdlKind.DROP))
    script.stands(of(Append, effects)[0])
    _, effects = script.append(part("a"))
    assert of(AnswerStored, effects)
    other, _ = script.append(part("b"))
    assert script.answers(other)[0].outcome == "stale"


def test_ids_are_forgotten_by_when_they_were_first_sent_and_then_unknown() -> None:
    script = opened(segment_idle_s=1e9, segment_age_s=1e9)
    _, append = sent(script, "a")
    script.append(part("k", keyed=True))
    [second] = of(Append, script.stands(append))
    script.stands(second)
    script.wait(script.settings.window_other_s + 2)
    tick = [e for e in of(Append, script.effects) if isinstance(entries_of(e)[0], Tick)][-1]
    script.stands(tick)
    forgotten, _ = script.append(part("a"))
    assert script.answers(forgotten)[0].outcome == "unknown"
    _, effects = script.append(part("k", keyed=True))
    assert of(AnswerStored, effects)


def test_keyed_requests_wait_when_a_million_ids_are_kept() -> None:
    script = opened(window_ids_max=1, segment_idle_s=1e9)
    _, append = sent(script, "a")
    script.stands(append)
    keyed, effects = script.append(part("k", keyed=True, first_sent=at(120), deadline_ms=10**6))
    assert of(Append, effects) == []
    _, other = sent(script, "b", first_sent=at(1))
    script.stands(other)
    effects = script.wait(script.settings.window_other_s + 5)
    [tick] = of(Append, effects)
    [append] = of(Append, script.stands(tick))
    assert [r.part_id for r in rows_of(append)] == [part("k").part_id]
    script.stands(append)
    assert script.answers(keyed)[0].outcome == "done"


def test_what_was_first_sent_in_the_future_is_invalid() -> None:
    script = opened()
    call, effects = script.append(part("a", first_sent=at(3600)))
    assert of(Append, effects) == []
    [error] = script.answers(call)
    assert isinstance(error, Invalid) and error.field == "headrace-first-sent"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"vchannel": "dml-1_7v0"}, "vchannel"),
        ({"vchannel": "nonsense"}, "vchannel"),
        ({"part_id": b""}, "part_id"),
        ({"rows": 0}, "rows"),
        ({"rows": -1, "deletes": 2}, "part_id"),
        ({"body": bytes(5_000_000)}, "body"),
    ],
)
def test_a_part_that_cannot_be_is_refused_by_name(changes: dict[str, object], field: str) -> None:
    script = opened()
    call, _ = script.append(part("a", **changes))
    [error] = script.answers(call)
    assert isinstance(error, Invalid) and error.field == field
