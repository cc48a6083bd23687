"""Every rule of the protocol that stands in production code is missed when it is left out."""

from collections.abc import Iterator
from itertools import groupby

import pytest

from mutants.catalog import ALL, BY_RULE, recorded
from mutants.edits import Edit, EditDoesNotApply, Mutant, edited
from mutants.measure import Runs


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest) -> Iterator[Runs]:
    """The children of all mutants that are asked for; they begin with the first question."""
    names = [i.callspec.params.get("rule") for i in request.session.items if hasattr(i, "callspec")]
    running = Runs([BY_RULE[n] for n in dict.fromkeys(names) if n in BY_RULE])
    yield running
    running.close()


@pytest.mark.parametrize("mutant", ALL, ids=lambda m: m.rule)
def test_an_edit_applies(mutant: Mutant) -> None:
    for module, edits in groupby(mutant.edits, key=lambda e: e.module):
        compile(edited(list(edits)), module, "exec")


def test_an_edit_that_does_not_apply_fails_loudly() -> None:
    for edit in (Edit("sequencer.term", "no such text", ""), Edit("sequencer.term", "self", "")):
        with pytest.raises(EditDoesNotApply, match=r"sequencer\.term"):
            edited([edit])


@pytest.mark.parametrize("rule", recorded())
def test_a_build_without_the_rule_is_caught(rule: str, runs: Runs) -> None:
    found = runs.found(rule)
    assert found.killed_by, f"nothing named {BY_RULE[rule].killers}; instead: {found.text}"
