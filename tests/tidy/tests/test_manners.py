"""Tests mirror the source, never sleep, mock or skip, and judge by what has a public name."""

import ast
from collections.abc import Iterable, Iterator
from itertools import chain

import pytest
from support.repo import ROOT, SOURCE, Module, modules_of_tests

UNIT = ROOT / "tests" / "unit"
WIDER = {  # unit tests of a whole package, with what makes them so
    "binlog/test_round_trips.py": "every type of column through every kind of file",
    "sequencer/test_chaos.py": "several sequencers of one log, with faults between them",
}
BANNED = (
    "mock.patch",
    "pytest.mark.skip",
    "pytest.mark.xfail",
    "pytest.skip",
    "pytest.xfail",
    "time.sleep",
)
TUPLE = {"_replace", "_asdict", "_fields"}  # of named tuples: public, in spite of their names
# What has no other name. asyncio does not say whether a loop has something left to do.
PRIVATE = {"tests/support/world/clock.py": "loop._ready"}
VIRTUAL = {"support", "sim", "fuzz"}  # conditions are waited for in `support`; others are virtual


@pytest.mark.parametrize(
    "module", [m for m in modules_of_tests() if UNIT in m.path.parents], ids=lambda m: m.name
)
def test_a_unit_test_stands_where_its_module_stands(module: Module) -> None:
    place = module.path.relative_to(UNIT)
    if place.as_posix() in WIDER:
        return
    name = place.name.removeprefix("test_")
    package = place.name.removeprefix("test_").removesuffix(".py")
    there = (SOURCE / place.parent / name).is_file()
    assert there or (SOURCE / place.parent / package / "__init__.py").is_file()


@pytest.mark.parametrize("module", modules_of_tests(), ids=lambda m: m.name)
def test_no_mocks_no_skips_no_sleeps(module: Module) -> None:
    found = [name for name in module.imports() if name.startswith(("unittest", "mock"))]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node).startswith(BANNED):
            found.append(f"line {node.lineno}: {ast.unparse(node)}")
        if isinstance(node, ast.Call) and sleeps(node) and not VIRTUAL & set(module.path.parts):
            found.append(f"line {node.lineno}: {ast.unparse(node)}")
    assert not found


def sleeps(call: ast.Call) -> bool:
    """Whether this waits for real time. `asyncio.sleep(0)` only lets others run."""
    return ast.unparse(call.func) == "asyncio.sleep" and ast.unparse(call.args[0]) != "0"


@pytest.mark.parametrize("module", modules_of_tests(), ids=lambda m: m.name)
def test_a_test_reads_no_private_attribute_of_another(module: Module) -> None:
    found = [
        f"line {node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and node.attr not in TUPLE
        and ast.unparse(node.value) not in ("self", "cls")
        and ast.unparse(node) != PRIVATE.get(module.name)
    ]
    assert not found


@pytest.mark.parametrize("module", modules_of_tests(), ids=lambda m: m.name)
def test_an_assertion_error_counts_only_by_its_words(module: Module) -> None:
    """Any mistake of a test's own surroundings is an AssertionError too."""
    found = [f"line {line}" for line in wordless(module.tree)]
    assert not found


def wordless(tree: ast.Module) -> Iterator[int]:
    """Where an AssertionError is caught or expected, whatever it says."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and node.type is not None:
            if names_assertion(node.type) and not any(
                isinstance(n, ast.Name) and n.id == node.name for n in within(node.body)
            ):
                yield node.lineno
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.raises":
            matched = any(keyword.arg == "match" for keyword in node.keywords)
            if names_assertion(*node.args) and not matched:
                yield node.lineno


def names_assertion(*nodes: ast.expr) -> bool:
    """Whether an AssertionError is among these exceptions."""
    return any(isinstance(n, ast.Name) and n.id == "AssertionError" for n in within(nodes))


def within(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """These and everything inside them."""
    return chain.from_iterable(map(ast.walk, nodes))
