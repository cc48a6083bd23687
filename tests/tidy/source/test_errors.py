"""No exception disappears: what is caught is handled, passed on, or said."""

import ast
from collections.abc import Iterator

import pytest
from support.repo import Module, source_modules

BROAD = {"Exception", "BaseException"}


@pytest.mark.parametrize("module", source_modules(), ids=lambda m: m.name)
def test_no_exception_is_swallowed(module: Module) -> None:
    swallowed = []
    for handler in handlers(module.tree):
        empty = all(is_empty(node) for node in handler.body)
        broad = catches(handler) & BROAD or handler.type is None
        if empty or (broad and not (says_something(handler) or is_explained(module, handler))):
            swallowed.append(f"line {handler.lineno}")
    assert not swallowed


@pytest.mark.parametrize("module", source_modules(), ids=lambda m: m.name)
def test_suppress_names_narrow_errors(module: Module) -> None:
    wide = [
        f"line {node.lineno}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith("suppress")
        and {ast.unparse(a) for a in node.args} & BROAD
    ]
    assert not wide


def handlers(tree: ast.AST) -> Iterator[ast.ExceptHandler]:
    """Every `except` of a module."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler))


def is_empty(node: ast.stmt) -> bool:
    """Whether a statement does nothing at all."""
    constant = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return isinstance(node, ast.Pass) or constant


def catches(handler: ast.ExceptHandler) -> set[str]:
    """The names of what it catches."""
    if handler.type is None:
        return set()
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return {ast.unparse(kind) for kind in kinds}


def says_something(handler: ast.ExceptHandler) -> bool:
    """Whether a broad handler raises, or uses the error that it caught."""
    for node in ast.walk(handler):
        if isinstance(node, ast.Raise):
            return True
        if isinstance(node, ast.Name) and node.id == handler.name:
            return True
    return False


def is_explained(module: Module, handler: ast.ExceptHandler) -> bool:
    """Whether the line that catches everything says why nobody needs to know."""
    return "# noqa: BLE001 - " in module.lines[handler.lineno - 1]
