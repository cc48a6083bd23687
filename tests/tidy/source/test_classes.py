"""A class name means one thing, and what a class needs is named where it is made."""

import ast
from collections import defaultdict
from functools import cache

import pytest
from support.repo import ROOT, SOURCE, Module, source_modules

SAME_MEANING = {
    "Answer": "each machine's order to answer a caller",
    "Refuse": "each machine's order to refuse a caller",
    "Tell": "each machine's order to send something that needs no answer",
    "TimePassed": "each machine's event of a timer",
    "StopAsked": "each machine's event of the process's end",
    "ReportRefused": "the answer to a report, sent by one role and received by the other",
}
COLLABORATORS = {"host", "telemetry", "keys", "meta", "log", "peers", "objects", "crash"}
FROM_JSON = {"src/headrace/ingest/resume/journal.py"}  # values of a line, by their names


def test_a_public_class_name_means_one_thing() -> None:
    """Two classes of one name make a reader look up the imports at every use."""
    found = defaultdict(list)
    for module in source_modules():
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(module.name)
    twice = {name: where for name, where in found.items() if len(where) > 1}
    assert not {name: where for name, where in twice.items() if name not in SAME_MEANING}
    assert SAME_MEANING.keys() <= twice.keys(), "an exception that is none any more"


@cache
def classes() -> set[str]:
    """All public classes of `src`."""
    return {
        node.name
        for module in source_modules()
        for node in module.tree.body
        if isinstance(node, ast.ClassDef)
    }


@pytest.mark.parametrize("module", source_modules(), ids=lambda m: m.name)
def test_collaborators_are_typed_where_a_class_is_made(module: Module) -> None:
    """`**common` and a dict of collaborators hide from mypy and from a reader what a part needs."""
    found = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Dict):
            keys = {k.value for k in node.keys if isinstance(k, ast.Constant)}
            if len(keys & COLLABORATORS) > 1 and module.name not in FROM_JSON:
                found.append(f"line {node.lineno}: a dict of {sorted(keys & COLLABORATORS)}")
        if isinstance(node, ast.Call) and module.name not in FROM_JSON:
            made = ast.unparse(node.func).rpartition(".")[2]
            if made in classes() and any(k.arg is None for k in node.keywords):
                found.append(f"line {node.lineno}: {made}(**...)")
    assert not found


def test_the_import_contract_covers_every_package() -> None:
    """A package that no layer names could import upwards unseen."""
    contract = (ROOT / "pyproject.toml").read_text().partition('id = "layers"')[2]
    layers = contract.partition("]")[0]
    assert "exhaustive = true" in contract.partition("[[tool")[0]
    packages = {m.path.relative_to(SOURCE).parts[0] for m in source_modules()} - {"__init__.py"}
    assert not {package for package in packages if package not in layers}
