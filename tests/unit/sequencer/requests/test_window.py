"""The window of request ids."""

import tracemalloc
from dataclasses import replace

from support.players.sequencer import at, item, part

from headrace.sequencer.requests.window import Window
from headrace.sequencer.settings import SequencerSettings


def window(**changes: int) -> Window:
    return Window(SequencerSettings(**changes))  # type: ignore[arg-type]


def test_what_was_added_is_found_as_it_was() -> None:
    kept = window()
    added = replace(item(part("a"), 7, 3), keyed=True, first_sent=at(1))
    kept.add(added)
    assert kept.find(part("a").part_id) == added
    assert kept.find(part("b").part_id) is None


def test_keyed_ids_are_kept_longer() -> None:
    kept = window()
    for name, keyed in (("k", True), ("o", False)):
        kept.add(replace(item(part(name), 7), first_sent=at(1), keyed=keyed))
    kept.advance(at(1 + 120 + 2))
    assert kept.find(part("k").part_id) and not kept.find(part("o").part_id)
    kept.advance(at(1 + 600 + 2))
    assert len(kept) == 0


def test_every_id_first_sent_above_the_floor_is_kept() -> None:
    kept = window()
    for tenth in range(100):
        name = f"r{tenth}"
        kept.add(replace(item(part(name), 7), first_sent=at(tenth / 10)))
    for seconds in range(120, 140):
        kept.advance(at(seconds, 3))
        for tenth in range(100):
            if at(tenth / 10) > kept.floor(keyed=False):
                assert kept.find(part(f"r{tenth}").part_id)
    assert len(kept) == 0


def test_an_id_is_forgotten_by_when_it_was_first_sent() -> None:
    """While the master service is away an entry may have a timestamp below its first sending."""
    late = replace(item(part("a"), 7), first_sent=at(50))
    kept = window()
    kept.add(late)
    kept.advance(at(150))
    assert kept.find(part("a").part_id)


def test_the_floor_never_goes_back() -> None:
    kept = window()
    kept.advance(at(1000))
    floor = kept.floor(keyed=True)
    kept.advance(at(10))
    assert kept.floor(keyed=True) == floor == at(400)


def test_what_is_at_or_below_the_floor_is_not_taken_in() -> None:
    kept = Window(SequencerSettings(), floor=at(5))
    kept.add(replace(item(part("a"), 7), first_sent=at(5)))
    assert len(kept) == 0


def test_it_is_full_at_its_limit_and_has_room_again_when_ids_are_forgotten() -> None:
    kept = window(window_ids_max=2)
    kept.add(replace(item(part("a"), 7), first_sent=at(1)))
    assert not kept.full
    kept.add(replace(item(part("b"), 7), first_sent=at(2)))
    assert kept.full
    kept.advance(at(122))
    assert not kept.full


IDS = 5_000


def test_an_id_costs_a_few_hundred_bytes() -> None:
    kept = window()
    tracemalloc.start()
    for number in range(IDS):
        request = part("a", part_id=number.to_bytes(16, "little"), fingerprint=bytes(16))
        kept.add(replace(item(request, number), first_sent=at(number / 100)))
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used / IDS < 300
