"""One pchannel dealt out: everybody gets every entry above their floor, once, in order."""

import random
from itertools import count

import pytest
from support.players.datanode import Player, vchannel

from headrace.datanode.consume.demux import Fan, Reader
from headrace.model.entry import TermStart
from headrace.model.errors import Corrupt
from headrace.model.position import Position

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
    fan = Fan("p", lambda: next(ids))
    got: dict[str, list[int]] = {}
    floors: dict[str, Position] = {}
    opened: dict[int, Reader] = {}
    for name in NAMES:
        for _ in range(chance.randint(0, 20)):
            act(fan, player, chance, got, opened)
        message = chance.choice(player.log)
        entry = chance.choice(message.group.entries)
        floors[name] = Position("p", message.message_id, entry.timestamp)
        got[vchannel(name)] = []
        fan.join(vchannel(name), floors[name])
        fan.arrange()
        fan.validate()
    while any(r.next_id <= len(player.log) for r in fan.readers) or len(fan.readers) > 1:
        act(fan, player, chance, got, opened)
    for name in NAMES:
        assert got[vchannel(name)] == expected(player, name, floors[name])
        end = player.log[-1].group.last_timestamp
        assert fan.consumed(vchannel(name)).timestamp == end
    for name in NAMES:
        fan.leave(vchannel(name))
    fan.arrange()
    assert fan.empty
    assert not fan.readers


def act(
    fan: Fan,
    player: Player,
    chance: random.Random,
    got: dict[str, list[int]],
    opened: dict[int, Reader],
) -> None:
    """One reader delivers one message."""
    readers = [r for r in fan.readers if r.next_id <= len(player.log)]
    if not readers:
        return
    reader = chance.choice(readers)
    for name, entries in fan.deal(reader, player.log[reader.next_id - 1]):
        got[name] += [e.timestamp for e in entries]
    opened[reader.id] = reader
    fan.arrange()
    fan.validate()
    assert len(fan.readers) <= 2


def test_who_needs_a_broken_message_is_named_and_the_others_read_on() -> None:
    player = written(random.Random(1), 10)
    ids = count(1)
    fan = Fan("p", lambda: next(ids))
    fan.join("low", Position("p", 1, 101))
    fan.join("high", Position("p", 5, 505))
    fan.arrange()
    (reader,) = fan.readers
    fan.deal(reader, player.log[0])
    with pytest.raises(Corrupt):
        fan.deal(reader, player.log[5])
    assert fan.broken(reader) == ["low"]
    fan.leave("low")
    assert fan.arrange() == [reader.id]
    assert [r.next_id for r in fan.readers] == [5]


def test_an_empty_log_is_read_from_its_first_message() -> None:
    fan = Fan("p", lambda: 1)
    fan.join("a", Position("p", 0, 0))
    fan.join("b", Position("p", 0, 0))
    fan.arrange()
    assert [(r.next_id, list(r.members)) for r in fan.readers] == [(1, ["a", "b"])]
