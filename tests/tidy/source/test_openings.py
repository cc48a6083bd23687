"""Every module says in one sentence what it is, every package what it owns, and every public
function what its types do not. A port says it once for all its adapters."""

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest
from support.repo import SOURCE, Module, modules, modules_of_tests, source_modules

FIRST_SENTENCE = re.compile(r"[A-Z`.].*?[.:]$", re.DOTALL)


@pytest.mark.parametrize("module", modules(), ids=lambda m: m.name)
def test_a_module_opens_with_a_sentence(module: Module) -> None:
    opening = ast.get_docstring(module.tree)
    assert opening or not module.text.strip(), "no opening"
    if opening:
        first = opening.split("\n\n")[0]
        assert FIRST_SENTENCE.match(first), first


def test_every_package_opens_with_what_it_owns() -> None:
    silent = [
        str(folder.relative_to(SOURCE))
        for folder in {m.path.parent for m in source_modules()}
        if not ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
    ]
    assert not silent


@pytest.mark.parametrize("module", source_modules(), ids=lambda m: m.name)
def test_public_functions_and_classes_say_what_they_do(module: Module) -> None:
    silent = [
        f"line {node.lineno}: {node.name}"
        for owner, node in public(module.tree)
        if not ast.get_docstring(node) and not is_documented_elsewhere(module, owner, node.name)
    ]
    assert not silent


def is_documented_elsewhere(module: Module, owner: ast.ClassDef | None, name: str) -> bool:
    """Whether a method is one of a port's: a base class documents it, or a Protocol of the same
    top package (an edge has one port and several adapters), so that the text stands once."""
    if owner is None:
        return False
    bases = {ast.unparse(base).partition("[")[0].rpartition(".")[2] for base in owner.bases}
    package = module.path.relative_to(SOURCE).parts[0]
    return (package, name) in ports() or bool(bases & documented().get(name, set()))


@cache
def ports() -> set[tuple[str, str]]:
    """Documented methods of Protocols, with the top package of each."""
    return {
        (module.path.relative_to(SOURCE).parts[0], node.name)
        for module in source_modules()
        for owner, node in public(module.tree)
        if owner is not None and ast.get_docstring(node)
        if "Protocol" in " ".join(ast.unparse(base) for base in owner.bases)
    }


@cache
def documented() -> dict[str, set[str]]:
    """By the name of a method, the classes of `src` that document it."""
    found: dict[str, set[str]] = {}
    for module in source_modules():
        for owner, node in public(module.tree):
            if owner is not None and ast.get_docstring(node):
                found.setdefault(node.name, set()).add(owner.name)
    return found


Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def public(
    tree: ast.Module | ast.ClassDef, owner: ast.ClassDef | None = None
) -> Iterator[tuple[ast.ClassDef | None, Definition]]:
    """Public definitions of a module, and those of its public classes with the class. What is
    defined inside a function is not public; a property's setter says no more than its getter."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield owner, node
            yield from public(node, node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            setter = any(isinstance(d, ast.Attribute) for d in node.decorator_list)
            if not node.name.startswith("_") and not setter:
                yield owner, node


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
