"""The demo's rows: docstrings of the standard library, with an embedding by feature hashing.

A row is a pure function of its number, so what was sent can be made again when files are compared,
bit by bit. Source of the vectoriser: Weinberger et al., "Feature Hashing for Large Scale Multitask
Learning" (2009): each word adds a sign at a hashed place; the vector is then scaled to length 1.
"""

import ast
import hashlib
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DIM = 768
TEXT_BYTES_MAX = 8000
NAME_BYTES_MAX = 256
_SKIPPED = frozenset({"test", "tests", "idlelib", "lib2to3", "site-packages", "turtledemo"})


@dataclass(frozen=True, slots=True)
class Text:
    """One docstring."""

    module: str
    name: str
    text: str


def standard_library() -> list[Text]:
    """Distinct docstrings of the standard library, in order of file and line."""
    root = Path(sysconfig.get_paths()["stdlib"])
    seen: set[str] = set()
    found = []
    for path in sorted(root.rglob("*.py")):
        if _SKIPPED & set(path.relative_to(root).parts):
            continue
        for text in _docstrings(path, root):
            if text.text not in seen:
                seen.add(text.text)
                found.append(text)
    if not found:
        raise FileNotFoundError(f"no docstrings below {root}; this Python has no sources")
    return found


def _docstrings(path: Path, root: Path) -> Iterator[Text]:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # files for other versions of Python lie there too
        return
    module = ".".join(path.relative_to(root).with_suffix("").parts)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            text = ast.get_docstring(node)
            if text:
                name = getattr(node, "name", module)
                yield Text(module[:NAME_BYTES_MAX], name[:NAME_BYTES_MAX], _cut(text))


def _cut(text: str) -> str:
    data = text.encode("utf-8", "replace")[:TEXT_BYTES_MAX]
    return data.decode("utf-8", "ignore")


def vector_of(text: str) -> NDArray[np.float32]:
    """The embedding of a text: DIM floats of length 1 (or all zero for a text without words)."""
    vector = np.zeros(DIM, np.float32)
    for word in text.lower().split():
        digest = hashlib.blake2b(word.encode("utf-8"), digest_size=8).digest()
        number = int.from_bytes(digest, "little")
        vector[number % DIM] += 1.0 if number >> 63 else -1.0
    length = float(np.linalg.norm(vector))
    return vector / np.float32(length) if length else vector


@dataclass(frozen=True)
class Corpus:
    """Rows by number. Number n is text n mod len, in variation n div len; `edition` rises when a
    row is replaced by an upsert."""

    texts: list[Text] = field(default_factory=standard_library)

    @cached_property
    def vectors(self) -> NDArray[np.float32]:
        """Embeddings of the texts, [len, DIM]."""
        return np.stack([vector_of(t.text) for t in self.texts])

    def text(self, number: int, edition: int = 0) -> str:
        """The text of a row, marked by its variation and edition."""
        variation, place = divmod(number, len(self.texts))
        mark = f" [variation {variation}]" if variation else ""
        return self.texts[place].text + mark + (f" [edition {edition}]" if edition else "")

    def vectors_of(
        self, numbers: NDArray[np.int64], editions: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Embeddings of rows, [len, DIM]: the text's, turned by variation and edition."""
        variations, places = np.divmod(numbers, len(self.texts))
        turns = (variations + 31 * editions) % DIM
        columns = (np.arange(DIM)[None, :] - turns[:, None]) % DIM
        return np.ascontiguousarray(np.take_along_axis(self.vectors[places], columns, axis=1))


def python_version() -> str:
    """Whose texts these are."""
    return f"Python {sys.version_info.major}.{sys.version_info.minor}"
