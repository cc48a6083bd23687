"""Which answers wait for the list of names."""

from headrace.masterservice.collections.names import Names
from headrace.masterservice.effects import Answer, StoreNames


def test_an_answer_waits_until_the_list_is_stored() -> None:
    names = Names()
    assert names.changed(10) == [StoreNames(10)]
    assert names.answer(1, "done") == []
    names.validate()
    assert names.stored(10) == [Answer(1, "done")]
    assert names.answer(2, "done") == [Answer(2, "done")]


def test_one_list_stands_for_all_changes_before_it() -> None:
    names = Names()
    names.changed(10)
    names.answer(1, "a")
    assert names.changed(11) == []
    names.answer(2, "b")
    assert names.changed(12) == []
    names.answer(3, "c")
    assert names.stored(10) == [Answer(1, "a"), StoreNames(12)]
    assert names.stored(12) == [Answer(2, "b"), Answer(3, "c")]


def test_a_list_that_is_newer_than_asked_serves_too() -> None:
    names = Names()
    names.changed(10)
    names.answer(1, "a")
    assert names.stored(15) == [Answer(1, "a")]
    assert names.changed(14) == []
