"""Checkpoints of idle vchannels: once a period all, at once where a caller waits."""

from headrace.datanode.report.idle import IdleReports
from headrace.model.channel import Position
from headrace.rpc.messages import CheckpointMove


def move(vchannel: str) -> CheckpointMove:
    at = Position("p", 1, 100)
    return CheckpointMove(vchannel=vchannel, epoch=1, extends=at, checkpoint=at)


def test_a_round_begins_once_a_period() -> None:
    idle = IdleReports(60.0, 10)
    idle.begin_round(["a", "b"], 5.0)
    assert idle.candidates(()) == [("a", True), ("b", True)]
    idle.begin_round(["a", "b"], 64.0)
    assert idle.candidates(()) == []
    idle.begin_round(["a", "b"], 65.0)
    assert idle.candidates(["b"]) == [("b", True), ("a", True)]


def test_what_one_report_does_not_take_goes_with_the_next() -> None:
    idle = IdleReports(60.0, 2)
    idle.begin_round(["a", "b", "c"], 0.0)
    assert idle.candidates(["w"]) == [("w", False), ("a", True)]
    assert idle.candidates(()) == [("b", True), ("c", True)]


def test_who_waits_is_served_when_a_checkpoint_has_passed() -> None:
    idle = IdleReports(60.0, 2)
    idle.await_timestamp("a", 500)
    idle.await_timestamp("a", 300)
    assert not idle.settled("a", 499)
    assert idle.settled("a", 500)
    assert not idle.awaited


def test_a_report_is_repeated_until_it_is_answered() -> None:
    idle = IdleReports(60.0, 2)
    idle.begin(1, [])
    assert idle.moving is None
    idle.begin(1, [move("a")])
    assert idle.moving is not None
    idle.moving.sent = True
    request = idle.moving.request
    idle.failed()
    assert (idle.moving.request is request, idle.moving.sent, idle.moving.attempt) == (
        True,
        False,
        1,
    )
    assert idle.holds("a", 1)
    assert not idle.holds("a", 2)
    assert idle.answered() == (move("a"),)
    assert idle.moving is None
