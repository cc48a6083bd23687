"""Parts that wait for their outcome."""

from support.players.sequencer import part

from headrace.sequencer.requests.queue import PartQueue, PartState


def test_ready_parts_keep_their_order() -> None:
    queue = PartQueue()
    for number, name in enumerate("cab"):
        queue.add(number, part(name), 1, 60.0)
    assert [p.request.part_id[:1] for p in queue.ready()] == [b"c", b"a", b"b"]


def test_a_released_part_is_ready_again_behind_the_others_and_once() -> None:
    queue = PartQueue()
    first = queue.add(1, part("a"), 1, 60.0)
    queue.park(first, "v")
    queue.add(2, part("b"), 1, 60.0)
    assert queue.parked("v") == 1
    assert queue.release("v") == [first]
    assert [p.request.part_id[:1] for p in queue.ready()] == [b"b", b"a"]
    queue.validate()
    assert queue.release("v") == []


def test_a_call_expires_alone_and_the_part_with_its_last_call() -> None:
    queue = PartQueue()
    waiting = queue.add(1, part("a"), 1, 5.0)
    queue.join(waiting, 2, 8.0)
    assert queue.expire(4.9) == []
    assert queue.expire(5.0) == [(1, waiting)]
    assert queue.find(waiting.request.part_id) is waiting
    assert queue.expire(9.0) == [(2, waiting)]
    assert len(queue) == queue.size_bytes == 0
    assert waiting.state is PartState.GONE
    queue.validate()


def test_what_flies_does_not_expire() -> None:
    queue = PartQueue()
    flying = queue.add(1, part("a"), 1, 5.0)
    queue.fly([flying])
    assert queue.expire(99.0) == [] and queue.unsent() == []
    assert queue.all() == [flying]
    queue.validate()


def test_a_parked_part_can_be_dropped() -> None:
    queue = PartQueue()
    parked = queue.add(1, part("a"), 1, 5.0)
    queue.park(parked, "v")
    queue.drop(parked)
    assert queue.parked("v") == 0
    queue.validate()
