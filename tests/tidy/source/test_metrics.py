"""The operator's page names every metric that the code makes, and no other."""

import ast
import re

from support.repo import ROOT, source_modules

KINDS = {"counter", "gauge", "histogram"}
PAGE = ROOT / "docs" / "guide" / "operate.md"


def made() -> set[str]:
    """Names of metrics as a scrape shows them, the ends that a kind adds left out."""
    found = set()
    for module in source_modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and node.args and kind(node.func) in KINDS:
                name = node.args[0]
                if isinstance(name, ast.Constant) and isinstance(name.value, str):
                    found.add("headrace_" + name.value.removesuffix("_total"))
    return found


def kind(function: ast.expr) -> str:
    """`counter` of `telemetry.counter` and of `counter`."""
    return function.attr if isinstance(function, ast.Attribute) else ast.unparse(function)


def test_every_metric_stands_on_the_operators_page() -> None:
    told = {n.removesuffix("_total") for n in re.findall(r"`(headrace_\w+)", PAGE.read_text())}
    assert len(made()) > 20
    assert made() - told == set()
    assert told - made() == set()
