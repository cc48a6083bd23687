"""What a client is told stands in one table: the front door refuses by it, and no line is dead."""

import ast

import pytest
from support.repo import SOURCE, Module, source_modules

from headrace.model.refusals import Refusal

DIRECT = {"Invalid", "NotFound"}
TO_OPERATORS = {"settings.py", "frontdoor.py"}  # said at the start, not to a client


def front_door() -> list[Module]:
    """The modules of the proxy that clients are answered by."""
    proxy = SOURCE / "proxy"
    modules = [m for m in source_modules() if proxy in m.path.parents]
    return [m for m in modules if m.path.name not in TO_OPERATORS]


@pytest.mark.parametrize("module", front_door(), ids=lambda m: m.name)
def test_the_front_door_refuses_by_the_table_only(module: Module) -> None:
    found = [
        f"line {node.lineno}: {ast.unparse(node)[:60]}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in DIRECT
    ]
    assert not found


def test_every_line_of_the_table_is_said_somewhere() -> None:
    said = {
        node.attr
        for module in source_modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "Refusal"
    }
    assert {refusal.name for refusal in Refusal} == said & set(Refusal.__members__)


def test_no_two_lines_say_the_same() -> None:
    assert len(Refusal.__members__) == len(set(Refusal))
