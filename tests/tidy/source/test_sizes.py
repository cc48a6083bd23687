"""No god files: a module is at most 500 lines, a function 60, a line 100 columns."""

import ast
import re

from support.repo import GENERATED, files, modules

MODULE_LINES = 500
FUNCTION_LINES = 60
COLUMNS = 100
PRAGMA = re.compile(r"  # (noqa|type: ignore).*$")
UNBROKEN = ("pyproject.toml",)  # TOML lists of strings


def test_modules_are_short() -> None:
    long = {m.name: n for m in modules() if (n := len(m.lines)) > MODULE_LINES}
    assert not long


def test_functions_are_short() -> None:
    long = {}
    for module in modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                lines = node.end_lineno - node.lineno + 1
                if lines > FUNCTION_LINES:
                    long[f"{module.name}:{node.lineno} {node.name}"] = lines
    assert not long


def test_lines_are_short() -> None:
    long = [
        f"{path}:{number}"
        for path in files(".py", ".sh", ".proto", ".toml")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(PRAGMA.sub("", line)) > COLUMNS
        and GENERATED not in path.parents
        and path.name not in UNBROKEN
    ]
    assert not long
