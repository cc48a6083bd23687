"""The ids of invariants: those in the code are those of the registry, and each is checked."""

import re

from support.repo import SOURCE, source_modules

from headrace.model.invariants import BY_ID, INVARIANTS

ID = re.compile(r"\b([A-Z]{2}-\d+|LIVE)\b")
KINDS = {invariant.id[:2] for invariant in INVARIANTS}
REGISTRY = SOURCE / "model" / "invariants.py"


def used() -> dict[str, list[str]]:
    """Ids in the code, with the modules that name them."""
    found: dict[str, list[str]] = {}
    for module in source_modules():
        if module.path == REGISTRY:
            continue
        for name in set(ID.findall(module.text)):
            if name[:2] in KINDS:
                found.setdefault(name, []).append(module.name)
    return found


def test_ids_in_the_code_are_in_the_registry() -> None:
    unknown = {name: where for name, where in used().items() if name not in BY_ID}
    assert not unknown


def test_every_invariant_is_named_where_it_is_kept_or_checked() -> None:
    assert not set(BY_ID) - set(used())


def test_ids_are_unique() -> None:
    assert len(BY_ID) == len(INVARIANTS)
