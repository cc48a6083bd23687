"""Digests follow when the tail has become long."""

from dataclasses import replace

from support.players.sequencer import (
    Script,
    at,
    entries_of,
    item,
    of,
    opened,
    part,
    past,
    sent,
)

from headrace.model.entry import Digest
from headrace.sequencer.effects import Append


def test_a_digest_follows_when_the_tail_has_become_long() -> None:
    script = opened(digest_messages=3)
    names = ["a", "b"]
    appends = []
    for name in names:
        _, append = sent(script, name)
        appends.append(append)
        effects = script.stands(append)
    [digest_message] = of(Append, effects)
    [digest] = entries_of(digest_message)
    assert isinstance(digest, Digest)
    assert digest_message.what == "digest"
    assert [i.part_id for i in digest.items] == [part(n).part_id for n in names]
    assert [i.message_id for i in digest.items] == [7, 8]
    assert (digest.previous, digest.since) == (0, 0)
    script.stands(digest_message)
    for name in "cde":
        _, append = sent(script, name)
        effects = script.stands(append)
    [second] = entries_of(of(Append, effects)[0])
    assert isinstance(second, Digest)
    assert (second.previous, second.since) == (9, 9)
    assert [i.message_id for i in second.items] == [10, 11, 12]


def test_the_first_digest_of_a_term_holds_what_was_read_of_the_tail() -> None:
    script = Script(digest_messages=2)
    old = item(part("old"), 5)
    effects = script.open(known=past(old, digest=4, since=4, messages_since=1))
    [append] = of(Append, effects)
    [digest] = entries_of(append)
    assert isinstance(digest, Digest)
    assert (digest.previous, digest.since, digest.items) == (4, 4, (old,))


def test_a_digest_leaves_out_what_everybody_has_forgotten() -> None:
    script = Script(digest_messages=2)
    old = replace(item(part("old"), 5), first_sent=at(-10_000))
    effects = script.open(known=past(old, digest=4, since=4, messages_since=1))
    [append] = of(Append, effects)
    [digest] = entries_of(append)
    assert isinstance(digest, Digest) and digest.items == ()
