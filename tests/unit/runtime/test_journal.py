"""The journal: what it keeps, the story it tells, and what it adds to an assertion."""

import gc
import weakref
from dataclasses import dataclass, field

import pytest

from headrace.runtime.journal import TEXT_MOST, Journal


@dataclass(frozen=True)
class Consumed:
    segment_id: int
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Sync:
    segment_id: int


def test_a_story_has_events_effects_and_times_in_order() -> None:
    journal = Journal()
    journal.record(Consumed(1), [], 0.5)
    journal.record(Consumed(2), [Sync(2), Sync(7)], 1.25)
    assert journal.story().splitlines() == [
        "     1        0.500 s  Consumed(segment_id=1)",
        "     2        1.250 s  Consumed(segment_id=2)",
        "                       -> Sync(segment_id=2)",
        "                       -> Sync(segment_id=7)",
    ]


def test_a_story_can_be_of_what_mentions_a_text() -> None:
    journal = Journal()
    for number in range(10):
        journal.record(Consumed(number), [Sync(number + 100)], 0.0)
    assert [step.number for step in journal.steps("segment_id=4)")] == [5]
    assert [step.number for step in journal.steps("segment_id=104)")] == [5]
    assert [step.number for step in journal.steps(lambda step: step.number > 8)] == [9, 10]
    assert journal.story("segment_id=", last=1).startswith("    10")
    assert journal.story(last=0) == ""


def test_the_ring_forgets_the_oldest() -> None:
    journal = Journal(kept_steps=3)
    for number in range(10):
        journal.record(Consumed(number), [], float(number))
    assert [step.number for step in journal.steps()] == [8, 9, 10]


def test_long_texts_are_cut() -> None:
    journal = Journal()
    journal.record("x" * 10_000, [], 0.0)
    assert len(journal.story()) < TEXT_MOST + 100


def test_the_journal_keeps_no_object_alive() -> None:
    journal = Journal()
    event = Consumed(1, b"rows" * 1_000)
    gone = weakref.ref(event)
    journal.record(event, [event], 0.0)
    del event
    gc.collect()
    assert gone() is None


def test_an_assertion_error_tells_the_last_steps() -> None:
    journal = Journal()
    journal.record(Consumed(42), [], 0.0)
    with pytest.raises(AssertionError) as error, journal.told_on_assertion("data-node-1"):
        raise AssertionError("CP-1")
    assert "the last steps of data-node-1" in error.value.__notes__[0]
    assert "Consumed(segment_id=42)" in error.value.__notes__[0]


def test_other_errors_pass_without_a_story() -> None:
    journal = Journal()
    with pytest.raises(KeyError) as error, journal.told_on_assertion("data-node-1"):
        raise KeyError("no")
    assert not hasattr(error.value, "__notes__")
