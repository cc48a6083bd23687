"""Machines are synchronous: no I/O, no clock, no randomness, no asyncio, in them or their parts."""

import ast
from pathlib import Path

import pytest
from support.repo import SOURCE, Module, source_modules

IMPURE = {
    "asyncio",
    "concurrent",
    "datetime",
    "grpc",
    "nats",
    "obstore",
    "os",
    "random",
    "secrets",
    "select",
    "signal",
    "socket",
    "subprocess",
    "sys",
    "threading",
    "time",
    "uuid",
}
CORE = ("machine.py", "events.py", "effects.py")
BY_NAME = {module.package: module for module in source_modules()}


def core_modules() -> list[Module]:
    """The machines with their events and effects."""
    return [m for m in source_modules() if m.path.name in CORE]


def role_of(path: Path) -> str:
    """The role's package."""
    return path.relative_to(SOURCE).parts[0]


def parts_of(module: Module) -> dict[str, Module]:
    """A module and all modules of the same role that it imports, directly or not."""
    found: dict[str, Module] = {}
    todo = [module]
    while todo:
        one = todo.pop()
        found[one.package] = one
        for name in one.imports():
            target = BY_NAME.get(name) or BY_NAME.get(name.rpartition(".")[0])
            if target is None or target.package in found:
                continue
            if role_of(target.path) == role_of(one.path):
                todo.append(target)
    return found


def test_there_are_machines() -> None:
    assert len(core_modules()) >= 3 * 3


@pytest.mark.parametrize("module", core_modules(), ids=lambda m: m.name)
def test_a_machine_and_its_parts_import_nothing_impure(module: Module) -> None:
    impure = [
        f"{part.name}:{line} imports {name}"
        for part in parts_of(module).values()
        for name, line in part.imports().items()
        if name.partition(".")[0] in IMPURE
    ]
    assert not impure


@pytest.mark.parametrize("module", core_modules(), ids=lambda m: m.name)
def test_a_machine_and_its_parts_wait_for_nothing(module: Module) -> None:
    waits = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    waiting = [
        f"{part.name}:{node.lineno}"
        for part in parts_of(module).values()
        for node in ast.walk(part.tree)
        if isinstance(node, waits)
    ]
    assert not waiting


TIMES = ("timestamp.py", "datetime")  # which spells a time for people and reads no clock


@pytest.mark.parametrize("name", ["model", "binlog"])
def test_the_lower_layers_have_no_surroundings(name: str) -> None:
    impure = [
        f"{module.name}:{line} imports {imported}"
        for module in source_modules()
        if role_of(module.path) == name
        for imported, line in module.imports().items()
        if imported.partition(".")[0] in IMPURE and (module.path.name, imported) != TIMES
    ]
    assert not impure


def test_events_are_facts_and_effects_are_orders() -> None:
    plain = [
        f"{module.name}: {node.name}"
        for module in core_modules()
        if module.path.name != "machine.py"
        for node in module.tree.body
        if isinstance(node, ast.ClassDef) and not is_frozen(node)
    ]
    assert not plain


def is_frozen(node: ast.ClassDef) -> bool:
    """A frozen dataclass with slots, an enum, a protocol or an error."""
    if node.bases:
        return True
    decorators = " ".join(ast.unparse(d) for d in node.decorator_list)
    return "frozen=True" in decorators and "slots=True" in decorators
