"""The repo's own files, for the tests that check them.

**Owns** which files there are, and their syntax trees. **Does not own** any rule (`tests/tidy`).
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "headrace"
GENERATED = SOURCE / "gen"
_FOREIGN = {
    ".git",
    ".venv",
    "__pycache__",
    ".hypothesis",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".import_linter_cache",
    "build",
    "dist",
}


@dataclass(frozen=True, slots=True)
class Module:
    """A Python file: where, its text and its syntax tree."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """Its path in the repo."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def package(self) -> str:
        """Its dotted name, `headrace.model.ids`; only of modules below `src`."""
        relative = self.path.relative_to(ROOT / "src").with_suffix("")
        return ".".join(p for p in relative.parts if p != "__init__")

    @property
    def lines(self) -> list[str]:
        """Of the text."""
        return self.text.splitlines()

    def imports(self) -> dict[str, int]:
        """What it imports, by dotted name, with the line. `from a import b` counts as `a.b`."""
        found: dict[str, int] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    found[alias.name] = node.lineno
            elif isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    found[f"{node.module}.{alias.name}"] = node.lineno
        return found


def files(*suffixes: str) -> Iterator[Path]:
    """All files of the repo with one of these suffixes, none = every file; sorted. What clusters
    that were started here left behind is not of the repo."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        foreign = _FOREIGN.intersection(parts) or parts[0].startswith("headrace-")
        if path.is_file() and not foreign and (not suffixes or path.suffix in suffixes):
            yield path


@cache
def modules() -> tuple[Module, ...]:
    """Every Python file that people write."""
    return tuple(
        Module(path, text := path.read_text(), ast.parse(text, str(path)))
        for path in files(".py")
        if GENERATED not in path.parents
    )


def source_modules() -> tuple[Module, ...]:
    """Those below `src`."""
    return tuple(m for m in modules() if SOURCE in m.path.parents)


def modules_of_tests() -> tuple[Module, ...]:
    """Those below `tests`."""
    return tuple(m for m in modules() if ROOT / "tests" in m.path.parents)
