"""Readers check that term, number and timestamps continue."""

import pytest

from headrace.datanode.consume.continuity import Continuity
from headrace.datanode.handoff import FetchedGroup
from headrace.model.entry import TermStart, Tick
from headrace.model.errors import Corrupt
from headrace.model.group import Group


def tick(message_id: int, term: int, number: int, *timestamps: int) -> FetchedGroup:
    return FetchedGroup(message_id, 1, Group(term, number, tuple(map(Tick, timestamps))))


def term_start(message_id: int, timestamp: int, term: int = 0, number: int = 0) -> FetchedGroup:
    return FetchedGroup(message_id, 1, Group(term, number, (TermStart(timestamp, 1),)))


def checked(*groups: FetchedGroup) -> None:
    continuity = Continuity("p")
    for fetched in groups:
        continuity.check(fetched)


def test_a_term_counts_from_its_term_start_and_a_new_one_may_follow() -> None:
    checked(
        term_start(1, 10),
        tick(2, 1, 1, 11, 12),
        tick(3, 1, 2, 13),
        term_start(4, 14),
        term_start(5, 15),
        tick(6, 5, 1, 16),
    )


def test_the_first_message_is_taken_as_it_is() -> None:
    checked(tick(7, 3, 4, 10), tick(8, 3, 5, 11))


@pytest.mark.parametrize(
    "groups",
    [
        (tick(2, 1, 1, 11), tick(4, 1, 2, 12)),
        (tick(2, 1, 1, 11), tick(3, 1, 3, 12)),
        (tick(2, 1, 1, 11), tick(3, 2, 2, 12)),
        (term_start(2, 11), tick(3, 1, 1, 12)),
        (tick(2, 1, 1, 11), tick(3, 1, 2, 11)),
        (tick(2, 1, 1, 11, 11),),
        (tick(2, 1, 1, 11), term_start(3, 11)),
        (term_start(3, 11, term=3),),
        (term_start(3, 11, number=1),),
    ],
    ids=[
        "a message is missing",
        "a number is missing",
        "another term",
        "a term that has ended",
        "time stands still",
        "time stands still inside",
        "a term start below",
        "a term start with a term",
        "a term start with a number",
    ],
)
def test_what_does_not_continue_is_corrupt(groups: tuple[FetchedGroup, ...]) -> None:
    with pytest.raises(Corrupt) as error:
        checked(*groups)
    assert error.value.channel == "p"
