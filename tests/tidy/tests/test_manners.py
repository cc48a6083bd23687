"""Tests mirror the source, never sleep, never mock, never skip."""

import ast

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
