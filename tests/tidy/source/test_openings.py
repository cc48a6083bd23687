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
        if not ast.get_docstring(node)
        and not (owner is not None and is_one_statement(node))
        and not is_documented_elsewhere(module, owner, node.name)
    ]
    assert not silent


def is_one_statement(node: ast.AST) -> bool:
    """Whether a method is so short that its name and types may say it all."""
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and len(node.body) == 1


def is_documented_elsewhere(module: Module, owner: ast.ClassDef | None, name: str) -> bool:
    """Whether a port says what a method does, so that its adapters need not: a Protocol of the
    same top package (an edge has one port), a base class, or a port that the class's docstring
    names. What a library's base class asks for is in that library's documentation."""
    if owner is None:
        return False
    bases = {ast.unparse(base).partition("[")[0].rpartition(".")[2] for base in owner.bases}
    named = bases | set(re.findall(r"`(?:\w+\.)*(\w+)`", ast.get_docstring(owner) or ""))
    foreign = bases - classes() - {"Protocol", "Generic", "Enum", "IntEnum", "StrEnum", "Exception"}
    package = module.path.relative_to(SOURCE).parts[0]
    return bool((package, name) in ports() or named & documented().get(name, set()) or foreign)


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


@cache
def classes() -> set[str]:
    """All classes of `src`."""
    return {
        node.name
        for module in source_modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
    }


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


@pytest.mark.parametrize("module", source_modules(), ids=lambda m: m.name)
def test_a_function_does_something(module: Module) -> None:
    """A function that only returns its argument or a constant is there for something else: most
    of them were switches by which tests broke the code. What a port asks for may be that short."""
    methods = {
        node: owner
        for owner in ast.walk(module.tree)
        if isinstance(owner, ast.ClassDef)
        for node in owner.body
    }
    idle = [
        f"line {node.lineno}: {node.name}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and returns_what_it_has(node)
        and not is_value_or_port(module, methods.get(node), node.name)
    ]
    assert not idle


def returns_what_it_has(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether the body is one `return` of an argument or a constant."""
    body = node.body[1:] if ast.get_docstring(node) else node.body
    if len(body) != 1 or not isinstance(body[0], ast.Return):
        return False
    value = body[0].value
    names = {a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}
    return isinstance(value, ast.Constant) or (isinstance(value, ast.Name) and value.id in names)


def is_value_or_port(module: Module, owner: ast.ClassDef | None, name: str) -> bool:
    """Whether a method is one of a data class, a protocol, an enum, or of a port's adapter."""
    if owner is None:
        return False
    decorators = " ".join(ast.unparse(d) for d in owner.decorator_list)
    bases = " ".join(ast.unparse(base) for base in owner.bases)
    plain = "dataclass" in decorators or "Protocol" in bases or "Enum" in bases
    return plain or (owner.name, name) in hooks() or is_documented_elsewhere(module, owner, name)


@cache
def hooks() -> set[tuple[str, str]]:
    """Methods that a class gives a plain answer to and a subclass of it another one."""
    return {
        (ast.unparse(base).partition("[")[0].rpartition(".")[2], method.name)
        for module in source_modules()
        for owner in ast.walk(module.tree)
        if isinstance(owner, ast.ClassDef)
        for base in owner.bases
        for method in owner.body
        if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef)
    }
