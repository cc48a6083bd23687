"""A folder is a room: it holds at most twelve modules, and its opening says what it owns."""

import ast
from collections import Counter
from pathlib import Path

from support.repo import GENERATED, ROOT, modules

MODULES = 12
DATA = ROOT / "tests" / "e2e" / "pymilvus" / "scripts"  # one script for each method of the client


def folders() -> Counter[Path]:
    """How many modules each folder has, `__init__` and `__main__` not among them."""
    return Counter(m.path.parent for m in modules() if not m.path.name.startswith("__"))


def test_a_folder_has_at_most_twelve_modules() -> None:
    names = {f.relative_to(ROOT).as_posix(): n for f, n in folders().items() if f != DATA}
    assert {name: n for name, n in names.items() if n > MODULES} == {}


def test_a_folder_opens_with_what_it_owns() -> None:
    rooms = (ROOT / "src" / "headrace", ROOT / "tests" / "support", ROOT / "bench")
    openings = [
        m
        for m in modules()
        if m.path.name == "__init__.py"
        and GENERATED not in m.path.parents
        and any(room in m.path.parents for room in rooms)
    ]
    assert [m.name for m in openings if not ast.get_docstring(m.tree)] == []
