"""Mutants as edits of source text, applied while Python imports the edited modules.

Nothing here imports Headrace: the hook has to be installed first.
"""

import ast
import importlib.machinery
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

SOURCE = Path(__file__).resolve().parents[2] / "src" / "headrace"


class EditDoesNotApply(Exception):
    """The text of an edit does not stand exactly once in its module: give it a new anchor."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of a module of `headrace`, such as `sequencer.term`."""

    module: str
    old: str  # stands exactly once in the module
    new: str

    @property
    def path(self) -> Path:
        """The file of the module."""
        return SOURCE.joinpath(*self.module.split(".")).with_suffix(".py")

    def applied(self, source: str) -> str:
        """The module's text without the rule."""
        count = source.count(self.old)
        if count != 1:
            raise EditDoesNotApply(
                f"this text stands {count} times in {self.module}, not once: {self.old!r}"
            )
        return source.replace(self.old, self.new)

    def place(self) -> str:
        """`module:function` around the text."""
        source = self.path.read_text()
        self.applied(source)
        line = source[: source.index(self.old) + len(self.old.rstrip())].count("\n") + 1
        names = []
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                assert node.end_lineno is not None
                if node.lineno <= line <= node.end_lineno:
                    names.append(node.name)
        return f"{self.module}:{'.'.join(names)}" if names else self.module


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A build without one rule.

    `killed_by` is the id of an invariant, or the class and the first words of a refusal of ours.
    Several ids: which of them fires first is chance. The simulator runs seeds of `weather`, unless
    a `scene` is named; then `why` says in a sentence why the simulator is not needed.
    """

    rule: str
    edits: Sequence[Edit]
    killed_by: str | tuple[str, ...]
    weather: str = "any"
    scene: str = ""
    why: str = ""

    @property
    def killers(self) -> tuple[str, ...]:
        """All that counts as noticing."""
        return (self.killed_by,) if isinstance(self.killed_by, str) else self.killed_by


class EditedLoader(importlib.machinery.SourceFileLoader):
    """Compiles the edited text of one module; nothing is written to disk."""

    def __init__(self, fullname: str, path: str, edits: Sequence[Edit]) -> None:
        super().__init__(fullname, path)
        self._edits = edits

    def get_code(self, fullname: str) -> CodeType:
        """See `importlib.abc.InspectLoader`."""
        return compile(edited(self._edits), self.get_filename(fullname), "exec")


class Finder:
    """Finds the edited modules; leaves all others to Python."""

    def __init__(self, mutant: Mutant) -> None:
        self._edits: dict[str, list[Edit]] = {}
        for edit in mutant.edits:
            self._edits.setdefault(f"headrace.{edit.module}", []).append(edit)

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        edits = self._edits.get(name)
        if edits is None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        assert spec is not None and spec.origin == str(edits[0].path), spec
        spec.loader = EditedLoader(name, spec.origin, edits)
        return spec


def edited(edits: Sequence[Edit]) -> str:
    """The text of one module after all of its edits."""
    text = edits[0].path.read_text()
    for edit in edits:
        text = edit.applied(text)
    return text


def install(mutant: Mutant) -> None:
    """From now on this process imports the build without the rule."""
    loaded = [name for name in sys.modules if name.split(".")[0] == "headrace"]
    assert not loaded, f"too late, these are imported already: {loaded}"
    sys.meta_path.insert(0, Finder(mutant))
