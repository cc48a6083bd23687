"""The sums of the byte budget."""

import pytest

from headrace.datanode.budget import Budget
from headrace.datanode.handoff import HeldMessage


def test_a_message_counts_whole_until_its_last_chunk_is_written() -> None:
    budget, message = Budget(1000, 500, 100), HeldMessage(300)
    budget.hold(message)
    budget.hold(message)
    assert (budget.message_bytes, budget.waiting_bytes) == (300, 300)
    budget.cut("first", (message,), 50)
    assert (budget.waiting_bytes, budget.used_bytes) == (300, 350)
    budget.cut("second", (message,), 20)
    assert (budget.waiting_bytes, budget.used_bytes) == (0, 370)
    budget.encoded("first", 40, 0)
    assert budget.used_bytes == 300 + 40 + 20
    budget.written("second")
    assert budget.used_bytes == 40
    budget.written("first")
    assert budget.used_bytes == 0
    budget.validate()


def test_files_that_are_views_of_messages_keep_them_until_they_are_written() -> None:
    budget, message = Budget(1000, 500, 100), HeldMessage(300)
    budget.hold(message)
    budget.cut("sync", (message,), 280)
    budget.encoded("sync", 290, 250)
    assert budget.used_bytes == 300 + 40
    budget.validate()
    budget.written("sync")
    assert budget.used_bytes == 0
    budget.validate()


def test_pressure_leaves_out_what_is_being_written() -> None:
    budget, message = Budget(1000, 500, 100), HeldMessage(600)
    budget.hold(message)
    assert budget.pressed
    budget.cut("sync", (message,), 600)
    assert not budget.pressed
    assert budget.free_bytes == -200


def test_credit_counts_before_the_bytes_are_there() -> None:
    budget = Budget(1000, 500, 100)
    budget.lend(400)
    assert budget.free_bytes == 600
    budget.give_back(400)
    assert budget.free_bytes == 1000
    with pytest.raises(AssertionError, match="more credit came back than was lent"):
        budget.give_back(1)


def test_dropped_chunks_free_their_message() -> None:
    budget, message = Budget(1000, 500, 100), HeldMessage(300)
    budget.hold(message)
    budget.drop([message])
    assert (budget.used_bytes, budget.waiting_bytes) == (0, 0)


def test_stored_bytes_have_a_limit_of_their_own() -> None:
    budget = Budget(1000, 500, 100)
    budget.unreported_bytes = 99
    assert budget.may_store
    budget.unreported_bytes = 100
    assert not budget.may_store
    assert budget.used_bytes == 0
