"""Every module says in one sentence what it is, then what it owns and what it does not own; every
public function says what its types do not."""

import ast
import re
from collections.abc import Iterator

import pytest
from support.repo import Module, modules, modules_of_tests, source_modules

FIRST_SENTENCE = re.compile(r"[A-Z`.].*?[.:]$", re.DOTALL)


@pytest.mark.parametrize("module", modules(), ids=lambda m: m.name)
def test_a_module_opens_with_a_sentence(module: Module) -> None:
    opening = ast.get_docstring(module.tree)
    assert opening or not module.text.strip(), "no opening"
    if opening:
        first = opening.split("\n\n")[0]
        assert FIRST_SENTENCE.match(first), first


@pytest.mark.parametrize("module", source_modules(), ids=lambda m: m.name)
def test_it_says_what_it_owns_and_what_it_does_not(module: Module) -> None:
    if module.path.name == "__init__.py":
        return
    opening = " ".join((ast.get_docstring(module.tree) or "").split())
    assert "**Owns**" in opening
    assert "**Does not own**" in opening
    assert opening.index("**Owns**") < opening.index("**Does not own**")


@pytest.mark.parametrize("module", source_modules(), ids=lambda m: m.name)
def test_public_functions_and_classes_say_what_they_do(module: Module) -> None:
    silent = [f"line {n.lineno}: {n.name}" for n in public(module.tree) if not ast.get_docstring(n)]
    assert not silent


def public(
    tree: ast.Module | ast.ClassDef,
) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Public definitions of a module, and those of its public classes. What is defined inside a
    function is not public; a property's setter says no more than its getter."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node
            yield from public(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            setter = any(isinstance(d, ast.Attribute) for d in node.decorator_list)
            if not node.name.startswith("_") and not setter:
                yield node


def test_test_names_state_facts() -> None:
    short = [
        f"{module.name}: {node.name}"
        for module in modules_of_tests()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and node.name.count("_") < 2
    ]
    assert not short
