"""The journal: what it keeps, the story it tells, and what it adds to an assertion."""

import gc
import weakref
from dataclasses import dataclass, field

import pytest

from headrace.runtime.driver import AnswerTo, Source
from headrace.runtime.journal.steps import TEXT_MOST, Journal, Start


@dataclass(frozen=True)
class Consumed:
    segment_id: int
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Sync:
    segment_id: int


@dataclass(frozen=True)
class Many:
    syncs: tuple[Sync, ...]


@dataclass
class Counter:
    """A value that changes."""

    counts: dict[str, int]


def recorded(journal: Journal, *events: object) -> Journal:
    for number, event in enumerate(events, 1):
        journal.record(number, 0.5 * number, Source.CLOCK, event, [])
    return journal


def test_a_story_has_events_causes_effects_and_times_in_order() -> None:
    journal = Journal()
    journal.record(1, 0.5, Source.PEER, Consumed(1), [])
    journal.record(2, 1.25, AnswerTo(1, 0), Consumed(2), [Sync(2), Sync(7)])
    assert journal.story().splitlines() == [
        "     1        0.500 s  Consumed(segment_id=1) <- peer",
        "     2        1.250 s  Consumed(segment_id=2) <- effect 0 of step 1",
        "                       -> Sync(segment_id=2)",
        "                       -> Sync(segment_id=7)",
    ]


def test_a_story_can_be_of_what_mentions_a_text() -> None:
    journal = Journal()
    for number in range(1, 11):
        journal.record(number, 0.0, Source.PEER, Consumed(number), [Sync(number + 100)])
    assert [step.number for step in journal.steps("segment_id=4)")] == [4]
    assert [step.number for step in journal.steps("segment_id=104)")] == [4]
    assert [step.number for step in journal.steps(lambda step: step.number > 8)] == [9, 10]
    assert journal.story("segment_id=", last=1).startswith("    10")
    assert journal.story(last=0) == ""


def test_the_ring_forgets_the_oldest_and_says_how_many() -> None:
    journal = recorded(Journal(kept_steps=3), *map(Consumed, range(10)))
    assert [step.number for step in journal.steps()] == [8, 9, 10]
    assert journal.lost == 7


def test_routine_steps_do_not_push_out_the_others() -> None:
    journal = Journal(kept_steps=2, routine=lambda event, effects: event == "grant")
    recorded(journal, "ddl", "grant", "grant", "grant", "seal")
    assert [(step.number, step.event) for step in journal.steps()] == [
        (1, "ddl"),
        (3, "grant"),
        (4, "grant"),
        (5, "seal"),
    ]
    assert journal.lost == 1


def test_long_texts_are_cut_when_they_are_read() -> None:
    journal = recorded(Journal(), "x" * 10_000)
    assert len(journal.story()) < TEXT_MOST + 100
    assert len(journal.steps()[0].event) == 10_000


def test_the_journal_keeps_no_rows_alive() -> None:
    event = Consumed(1, b"rows" * 1_000)
    gone = weakref.ref(event)
    journal = Journal()
    journal.record(1, 0.0, Source.PEER, event, [event])
    del event
    gc.collect()
    assert gone() is None
    assert len(journal.steps()[0].event.body) == 4_000


def test_the_journal_shows_what_was_not_what_came_of_it() -> None:
    counter = Counter({"rows": 1})
    journal = recorded(Journal(), counter)
    counter.counts["rows"] = 2
    assert journal.steps()[0].event == Counter({"rows": 1})


def test_a_machine_begins_with_its_arguments_in_the_journal() -> None:
    journal, counts = Journal(), {"rows": 1}
    machine = journal.begin(Counter, counts)
    counts["rows"] = 2
    assert machine.counts is counts
    assert journal.start == Start(Counter, ({"rows": 1},), {})


def test_an_assertion_error_tells_the_last_steps() -> None:
    journal = Journal()
    recorded(journal, Consumed(42))
    with (
        pytest.raises(AssertionError, match="CP-1") as error,
        journal.told_on_assertion("data-node-1"),
    ):
        raise AssertionError("CP-1")
    assert "the last steps of data-node-1" in error.value.__notes__[0]
    assert "Consumed(segment_id=42)" in error.value.__notes__[0]


def test_other_errors_pass_without_a_story() -> None:
    journal = Journal()
    with pytest.raises(KeyError) as error, journal.told_on_assertion("data-node-1"):
        raise KeyError("no")
    assert not hasattr(error.value, "__notes__")


def test_what_is_made_of_very_many_values_is_kept_by_its_name() -> None:
    journal = Journal(kept_values=100)
    recorded(journal, Many(tuple(Sync(n) for n in range(50))), Many((Sync(1),) * 200))
    first, second = journal.steps()
    assert first.event.syncs[49] == Sync(49)
    assert "Many of more than 100 values" in str(second)
    assert journal.shortened == 1


def test_a_body_of_any_size_is_one_value() -> None:
    journal = Journal(kept_values=5)
    recorded(journal, Consumed(1, b"x" * 1_000_000))
    assert journal.shortened == 0
