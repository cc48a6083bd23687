"""From the assignment to the open term."""

from dataclasses import replace

from support.players.sequencer import (
    ME,
    OTHER_VCHANNEL,
    PCHANNEL,
    VCHANNEL,
    Script,
    at,
    collection,
    ddl,
    entries_of,
    group_of,
    item,
    noted,
    of,
    part,
    past,
    view,
)

from headrace.meta.records import CollectionState
from headrace.model.channel import Position
from headrace.model.entry import Ddl, DdlKind, Rows, TermStart
from headrace.rpc.messages import AppendDdlResponse, VChannelPosition
from headrace.sequencer.effects import AnswerStored, Append, ReadEnd, ReadMeta, ReadWindow
from headrace.sequencer.events import Found, Looked, MetaRead, ReadFailed, WindowRead
from headrace.sequencer.machine import SequencerPhase
from headrace.sequencer.requests.window import span


def test_term_start_names_the_last_message_and_follows_its_timestamp() -> None:
    script = Script()
    append = script.candidate(last=5, timestamp=at(-1))
    group = group_of(append)
    assert append.expected_last == 5
    assert (group.term, group.number) == (0, 0)
    assert group.entries == (TermStart(at(-1) + 1, ME, "here:1"),)


def test_the_term_is_the_message_id_of_its_term_start() -> None:
    script = Script()
    script.open(last=41)
    _, effects = script.append(part("a"))
    [append] = of(Append, effects)
    group = group_of(append)
    assert (group.term, group.number, append.expected_last) == (42, 1, 42)


def test_the_first_term_start_of_an_empty_log_is_message_one() -> None:
    script = Script()
    script.open(last=0, timestamp=1)
    assert script.machine.status()["term"] == 1


def test_the_meta_store_is_read_only_once_the_term_start_stands() -> None:
    script = Script()
    start = script.candidate()
    assert of(ReadMeta, script.effects) == []
    assert of(ReadMeta, script.stands(start))


def test_who_reads_that_another_is_wanted_hands_over() -> None:
    script = Script()
    read = script.standing()
    script.tell(MetaRead(read.attempt, view(wanted=ME + 1)))
    assert script.machine.phase is SequencerPhase.IDLE
    assert of(ReadEnd, script.wait(60.0)) == []


def test_who_reads_of_a_ddl_noted_above_its_term_start_was_replaced() -> None:
    script = Script()
    read = script.standing(last=5)
    [again] = of(ReadEnd, script.tell(MetaRead(read.attempt, view(last=noted(1, 8)))))
    assert again.attempt > read.attempt


def test_a_ddl_noted_below_its_term_start_is_history() -> None:
    script = Script()
    read = script.standing(last=5)
    assert of(ReadWindow, script.tell(MetaRead(read.attempt, view(last=noted(1, 4)))))


def test_a_term_start_below_what_was_stored_before_it_proves_that_the_log_lost_its_end() -> None:
    script = Script()
    script.stands(script.candidate(last=5, mark=6))
    assert script.machine.phase is SequencerPhase.CORRUPT


def test_a_term_start_above_all_that_was_stored_is_sound() -> None:
    script = Script()
    assert of(ReadMeta, script.stands(script.candidate(last=5, mark=5)))


def test_a_checkpoint_of_a_successor_says_replaced_and_not_corrupt() -> None:
    script = Script()
    read = script.standing(last=5)
    script.tell(MetaRead(read.attempt, view(mark=9)))
    assert script.machine.phase is SequencerPhase.TAKING_OVER
    assert script.effects[-1] == ReadEnd(2, script.settings.restart_s)


def test_a_checkpoint_at_its_own_term_start_is_sound() -> None:
    """A data node was quicker than the read of the meta store."""
    script = Script()
    read = script.standing(last=5)
    assert of(ReadWindow, script.tell(MetaRead(read.attempt, view(mark=6))))


def test_reads_that_fail_are_repeated_with_growing_pauses() -> None:
    script = Script()
    read = script.standing()
    delays = []
    for _ in range(8):
        [read] = of(ReadMeta, script.tell(ReadFailed(read.attempt, "away")))
        delays.append(read.delay_s)
    assert delays[:3] == [0.05, 0.1, 0.2]
    assert delays[-1] == script.settings.retry_most_s


def test_the_window_is_read_as_far_back_as_an_id_may_still_be_kept() -> None:
    script = Script()
    read = script.reading(timestamp=at(-1))
    settings = script.settings
    reach_s = settings.window_keyed_s + settings.first_sent_lead_s
    assert read.until == at(-1) + 1 - span(reach_s)
    assert read.term == 6


def test_a_new_sequencer_knows_the_ids_that_older_terms_left() -> None:
    script = Script()
    script.open(known=past(item(part("a"), 4, 2)))
    call, effects = script.append(part("a"))
    assert of(Append, effects) == []
    [stored] = of(AnswerStored, effects)
    assert (stored.call, stored.message_id, stored.index, stored.key) == (call, 4, 2, "id")


def test_below_the_floor_that_it_could_read_everything_is_unknown() -> None:
    script = Script()
    script.open(known=past(floor=at(-30)))
    call, _ = script.append(part("a", first_sent=at(-30)))
    assert script.answers(call)[0].outcome == "unknown"
    _, effects = script.append(part("b", first_sent=at(-29)))
    assert of(Append, effects)


def test_what_is_recorded_and_not_noted_is_appended_first() -> None:
    script = Script(grants=False)
    seen = view(collection(2, noted=1), noted(1, 3), ddl(2, DdlKind.ALTER))
    script.open(seen)
    _, waits = script.append(part("a", version=2))
    assert of(Append, waits) == []
    [append] = of(Append, script.tell(script.grant()))
    entries = entries_of(append)
    assert [(type(e), e.vchannel) for e in entries if isinstance(e, Ddl)] == [
        (Ddl, VCHANNEL),
        (Ddl, OTHER_VCHANNEL),
    ]
    assert len(entries) == 2


def test_rows_wait_for_the_recorded_ddl_and_are_then_judged_by_it() -> None:
    script = Script()
    seen = view(collection(2, noted=1), noted(1, 3), ddl(2, DdlKind.ALTER))
    [append] = of(Append, script.open(seen))
    old, _ = script.append(part("old", version=1))
    new, _ = script.append(part("new", version=2))
    assert script.answers(old) == script.answers(new) == []
    effects = script.stands(append)
    [stale] = script.answers(old)
    assert (stale.outcome, stale.version) == ("stale", 2)
    [rows] = of(Append, effects)
    assert [e.part_id for e in entries_of(rows) if isinstance(e, Rows)] == [part("new").part_id]


def test_the_master_service_is_told_where_a_ddl_stands_that_the_term_began_with() -> None:
    script = Script()
    seen = view(collection(2, noted=1), noted(1, 3), ddl(2, DdlKind.RENAME))
    [append] = of(Append, script.open(seen))
    call, effects = script.ddl(collection(2, noted=1), ddl(2, DdlKind.RENAME))
    assert of(Append, effects) == []
    script.stands(append)
    [answer] = script.answers(call)
    stamps = [e.timestamp for e in entries_of(append)]
    assert answer == AppendDdlResponse(
        (
            VChannelPosition(VCHANNEL, Position(PCHANNEL, 7, stamps[0])),
            VChannelPosition(OTHER_VCHANNEL, Position(PCHANNEL, 7, stamps[1])),
        )
    )


def test_a_noted_ddl_that_is_asked_for_again_is_answered_from_its_record() -> None:
    script = Script()
    script.open(view(collection(1), noted(1, 3)))
    call, effects = script.ddl(collection(1), ddl(1))
    assert effects and of(Append, effects) == []
    [answer] = script.answers(call)
    assert [p.position.message_id for p in answer.positions] == [3, 3]


def test_rows_of_a_dropped_collection_are_stale() -> None:
    script = Script()
    record = collection(2, state=CollectionState.DROPPED)
    script.open(view(record, replace(noted(2, 3), kind=DdlKind.DROP)))
    call, _ = script.append(part("a", version=1))
    assert (script.answers(call)[0].outcome, script.answers(call)[0].version) == ("stale", 2)


def test_a_repeat_of_what_stands_in_the_window_is_not_appended_again() -> None:
    script = Script()
    read = script.standing()
    [window] = of(ReadWindow, script.tell(MetaRead(read.attempt, view())))
    script.tell(WindowRead(window.attempt, past(item(part("a"), 4))))
    _, effects = script.append(part("a"))
    assert not of(Append, effects)


def test_what_is_found_in_its_place_while_it_reads_is_no_business_of_it() -> None:
    script = Script()
    read = script.standing()
    assert script.tell(Looked(read.attempt + 1, 6, Found.ANOTHER)) == []
