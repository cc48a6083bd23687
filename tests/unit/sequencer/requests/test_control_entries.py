"""Seals that are asked for, and ticks."""

from dataclasses import replace

from support.players.sequencer import (
    OTHER_VCHANNEL,
    Script,
    at,
    entries_of,
    of,
    opened,
    part,
    rows_of,
    sent,
    view,
)

from headrace.model.entry import Seal, Tick
from headrace.sequencer.effects import Append, AskGrant


def test_a_flush_seals_what_is_open_above_its_timestamp() -> None:
    script = opened()
    _, append = sent(script, "a")
    script.stands(append)
    above = at(0, 0) + 1_000_000
    script.now = 60.0
    call, effects = script.seal(above)
    [group] = of(Append, effects)
    [seal] = entries_of(group)
    assert isinstance(seal, Seal) and seal.timestamp > above
    assert script.answers(call) == []
    script.stands(group)
    [answer] = script.answers(call)
    assert answer.segment_ids == (seal.segment_id,)
    assert (answer.position.message_id, answer.position.timestamp) == (8, seal.timestamp)


def test_where_nothing_is_open_a_flush_gets_a_tick() -> None:
    script = opened()
    call, effects = script.seal(at(0))
    [group] = of(Append, effects)
    [tick] = entries_of(group)
    assert isinstance(tick, Tick) and tick.timestamp > at(0)
    script.stands(group)
    assert script.answers(call)[0].segment_ids == ()


def test_a_flush_needs_nothing_when_nothing_is_open_and_time_has_passed_it() -> None:
    script = opened()
    call, effects = script.seal(at(-2))
    assert of(Append, effects) == []
    assert script.answers(call)[0].position.message_id == 6


def test_a_flush_waits_for_timestamps_above_its_own() -> None:
    script = Script(grants=False)
    script.open()
    above = at(10)
    call, effects = script.seal(above)
    [ask] = of(AskGrant, effects)
    effects = script.tell(script.grant(ask.asked))
    assert of(Append, effects) == []
    [again] = of(AskGrant, effects)
    assert again.delay_s > 0
    [group] = of(Append, script.tell(replace(script.grant(again.asked), first=above - 5)))
    assert entries_of(group)[0].timestamp == above + 1
    script.stands(group)
    assert script.answers(call)[0].position.timestamp > above


def test_only_the_named_segments_are_sealed() -> None:
    script = opened()
    _, append = sent(script, "a")
    script.append(part("b", vchannel=OTHER_VCHANNEL))
    [second] = of(Append, script.stands(append))
    script.stands(second)
    wanted = rows_of(second)[0].segments[0].segment_id
    script.now = 1.0
    _, effects = script.seal(at(0), segment_ids=(wanted,), collection_id=0)
    [group] = of(Append, effects)
    assert [e.segment_id for e in entries_of(group) if isinstance(e, Seal)] == [wanted]
    assert script.machine.status()["open_segments"] == 1


def test_an_idle_pchannel_gets_a_tick_rarely() -> None:
    script = opened(tick_idle_s=10.0)
    assert of(Append, script.wait(9.0)) == []
    [group] = of(Append, script.wait(1.0))
    assert [type(e) for e in entries_of(group)] == [Tick]
    script.stands(group)
    assert of(Append, script.wait(9.0)) == []


def test_a_pchannel_without_vchannels_gets_none() -> None:
    script = Script()
    script.open(replace(view(), vchannels=()))
    assert of(Append, script.wait(1000.0)) == []
