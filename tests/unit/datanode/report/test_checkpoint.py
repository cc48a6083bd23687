"""Where the channel checkpoint may stand."""

from hypothesis import given
from hypothesis import strategies as st

from headrace.datanode.report.checkpoint import PendingDrop, just_below, proposal
from headrace.model.channel import Position


def entry(timestamp: int) -> Position:
    return Position("p", timestamp // 100, timestamp)


END = entry(999)


def test_without_holders_all_that_was_read_is_passed() -> None:
    assert proposal(END, (), ()).checkpoint == END


def test_it_stands_just_below_the_first_holder_and_reading_begins_with_its_message() -> None:
    found = proposal(END, (entry(705), entry(502), entry(600), entry(503)), ())
    assert found.checkpoint == Position("p", 5, 501)
    assert not found.checkpoint.passed(502)


def test_it_jumps_over_a_drop_or_stays_below_what_was_forgotten() -> None:
    drop = PendingDrop(11, entry(600), entry(300))
    beyond = proposal(END, (entry(700),), (drop,))
    assert (beyond.checkpoint, beyond.dropped_partitions) == (just_below(entry(700)), (11,))
    below = proposal(END, (entry(400),), (drop,))
    assert (below.checkpoint, below.dropped_partitions) == (just_below(entry(300)), ())


def test_a_drop_that_forgot_nothing_is_passed_when_it_is() -> None:
    drop = PendingDrop(11, entry(600), None)
    assert proposal(END, (), (drop,)).dropped_partitions == (11,)
    assert proposal(END, (entry(400),), (drop,)).dropped_partitions == ()


TIMES = st.integers(1, 900)


@given(
    st.lists(TIMES, max_size=4),
    st.lists(st.tuples(TIMES, st.one_of(st.none(), TIMES)), max_size=3),
)
def test_nothing_is_passed_that_is_neither_stored_nor_dropped(
    held: list[int], drops: list[tuple[int, int | None]]
) -> None:
    pending = tuple(
        PendingDrop(i, entry(t), entry(min(f, t)) if f else None) for i, (t, f) in enumerate(drops)
    )
    found = proposal(END, map(entry, held), pending)
    assert not any(found.checkpoint.passed(t) for t in held)
    for drop in pending:
        passed = found.checkpoint.passed(drop.position.timestamp)
        assert passed == (drop.partition_id in found.dropped_partitions)
        if drop.forgotten and not passed:
            assert not found.checkpoint.passed(drop.forgotten.timestamp)
