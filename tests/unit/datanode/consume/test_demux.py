"""One pchannel dealt out: each flowgraph gets every entry above its floor, once, in order."""

import random
from itertools import count

import pytest
from support.players.datanode import Player, vchannel

from headrace.datanode.consume.demux import Consumer, Demux, Reader
from headrace.model.channel import Position
from headrace.model.entry import TermStart
from headrace.model.errors import Corrupt

NAMES = "abcd"


def written(chance: random.Random, messages: int = 40) -> Player:
    player = Player()
    player.append("term")
    for _ in range(messages):
        if chance.random() < 0.1:
            player.append("term")
        else:
            texts = [f"delete {chance.choice(NAMES)} 1" for _ in range(chance.randint(1, 3))]
            player.append("; ".join(texts))
    return player


def expected(player: Player, name: str, floor: Position) -> list[int]:
    return [
        e.timestamp
        for g in player.log
        for e in g.group.entries
        if e.timestamp > floor.timestamp
        and (isinstance(e, TermStart) or getattr(e, "vchannel", "") == vchannel(name))
    ]


@pytest.mark.parametrize("seed", range(40))
def test_each_flowgraph_gets_each_entry_once(seed: int) -> None:
    chance = random.Random(seed)
    player = written(chance)
    ids = count(1)
    demux = Demux("p", lambda: next(ids))
    got: dict[str, list[int]] = {}
    floors: dict[str, Position] = {}
    opened: dict[int, Reader] = {}
    consumers: list[Consumer] = []
    for name in NAMES:
        for _ in range(chance.randint(0, 20)):
            act(demux, player, chance, got, opened)
        message = chance.choice(player.log)
        entry = chance.choice(message.group.entries)
        floors[name] = Position("p", message.message_id, entry.timestamp)
        got[vchannel(name)] = []
        consumers.append(demux.join(vchannel(name), floors[name]))
        demux.arrange()
        demux.validate()
    while any(r.next_id <= len(player.log) for r in demux.readers) or len(demux.readers) > 1:
        act(demux, player, chance, got, opened)
    for name in NAMES:
        assert got[vchannel(name)] == expected(player, name, floors[name])
    end = player.log[-1].group.last_timestamp
    for consumer in consumers:
        assert consumer.consumed.timestamp == end
        assert demux.leave(consumer)
        assert consumer.consumed.timestamp == end
        assert not demux.leave(consumer)
    demux.arrange()
    assert demux.empty
    assert not demux.readers


def act(
    demux: Demux,
    player: Player,
    chance: random.Random,
    got: dict[str, list[int]],
    opened: dict[int, Reader],
) -> None:
    """One reader delivers one message."""
    readers = [r for r in demux.readers if r.next_id <= len(player.log)]
    if not readers:
        return
    reader = chance.choice(readers)
    for name, entries in demux.deal(reader, player.log[reader.next_id - 1]):
        got[name] += [e.timestamp for e in entries]
    opened[reader.id] = reader
    demux.arrange()
    demux.validate()
    assert len(demux.readers) <= 2


def test_who_needs_a_broken_message_is_named_and_the_others_read_on() -> None:
    player = written(random.Random(1), 10)
    ids = count(1)
    demux = Demux("p", lambda: next(ids))
    low = demux.join("low", Position("p", 1, 101))
    demux.join("high", Position("p", 5, 505))
    demux.arrange()
    (reader,) = demux.readers
    demux.deal(reader, player.log[0])
    with pytest.raises(Corrupt):
        demux.deal(reader, player.log[5])
    assert demux.broken(reader) == ["low"]
    demux.leave(low)
    assert demux.arrange() == [reader.id]
    assert [r.next_id for r in demux.readers] == [5]


def test_an_empty_log_is_read_from_its_first_message() -> None:
    demux = Demux("p", lambda: 1)
    demux.join("a", Position("p", 0, 0))
    demux.join("b", Position("p", 0, 0))
    demux.arrange()
    assert [(r.next_id, list(r.consumers)) for r in demux.readers] == [(1, ["a", "b"])]
