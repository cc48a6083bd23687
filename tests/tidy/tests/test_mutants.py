"""Each rule of the model has a mutant, and each mutant a result that names what killed it."""

from model import append, store
from mutants.catalog import ALL, BY_RULE, NOT_BUILT, NOT_SHOWN, recorded


def test_every_rule_of_the_model_has_a_mutant_or_a_reason() -> None:
    assert {*append.RULES, *store.RULES} == {*BY_RULE, *NOT_BUILT}
    assert len(ALL) == len(BY_RULE)


def test_every_result_names_a_killer_that_is_expected() -> None:
    found = recorded()
    wrong = {
        r: f["killed_by"] for r, f in found.items() if f["killed_by"] not in BY_RULE[r].killers
    }
    assert not wrong
    assert {*found, *NOT_SHOWN} == {*BY_RULE}, "python -m mutants.measure RULE, in tests"


def test_a_scene_says_why_it_needs_no_simulator() -> None:
    assert all(bool(m.scene) == bool(m.why) for m in ALL)
