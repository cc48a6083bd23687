"""The comparison: what was acknowledged against what the files hold, every row, every bit.

Content is made again from the row's number, so nothing of the sender's memory is trusted but which
keys were acknowledged.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from headrace.cli.demo.corpus import DIM, Corpus

EXAMPLES = 5


@dataclass
class Ledger:
    """Which edition of each row was acknowledged last; -1 = none, or deleted."""

    rows: int
    editions: NDArray[np.int64] = field(init=False)
    acknowledged: int = 0  # rows acknowledged by insert and upsert

    def __post_init__(self) -> None:
        self.editions = np.full(self.rows, -1, np.int64)

    def wrote(self, numbers: NDArray[np.int64], edition: int) -> None:
        """An insert (edition 0) or upsert of these rows was acknowledged."""
        self.editions[numbers] = edition
        self.acknowledged += len(numbers)

    def deleted(self, numbers: NDArray[np.int64]) -> None:
        self.editions[numbers] = -1

    @property
    def expected(self) -> int:
        return int((self.editions >= 0).sum())


@dataclass
class Comparison:
    """What the comparison found."""

    expected: int
    stored: int = 0
    lost: int = 0
    duplicated: int = 0
    altered: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def verified(self) -> bool:
        return not (self.lost or self.duplicated or self.altered) and self.stored == self.expected


def compare(corpus: Corpus, ledger: Ledger, batches: Iterable[pa.RecordBatch]) -> Comparison:
    """Compare live rows, as the reader gives them (columns id, module, name, text, embedding)."""
    verdict = Comparison(expected=ledger.expected)
    seen = np.zeros(ledger.rows, np.int64)
    for batch in batches:
        numbers = batch.column("id").to_numpy(zero_copy_only=False).astype(np.int64)
        verdict.stored += len(numbers)
        known = (numbers >= 0) & (numbers < ledger.rows)
        _count(verdict, "surplus row", numbers[~known], "duplicated")
        np.add.at(seen, numbers[known], 1)
        gone = known.copy()
        gone[known] = ledger.editions[numbers[known]] < 0
        _count(verdict, "deleted row is there", numbers[gone], "duplicated")
        keep = np.flatnonzero(known & ~gone)
        if len(keep):
            _compare_content(verdict, corpus, ledger, batch.take(pa.array(keep)), numbers[keep])
    wanted = ledger.editions >= 0
    _count(verdict, "row is lost", np.flatnonzero(wanted & (seen == 0)), "lost")
    doubled = np.flatnonzero(wanted & (seen > 1))
    verdict.duplicated += int((seen[doubled] - 1).sum())
    verdict.examples += [f"row is there {seen[n]} times: {n}" for n in doubled[:EXAMPLES]]
    return verdict


def _count(verdict: Comparison, words: str, numbers: NDArray[np.int64], what: str) -> None:
    setattr(verdict, what, getattr(verdict, what) + len(numbers))
    verdict.examples += [f"{words}: {n}" for n in numbers[:EXAMPLES].tolist()]


def _compare_content(
    verdict: Comparison,
    corpus: Corpus,
    ledger: Ledger,
    batch: pa.RecordBatch,
    numbers: NDArray[np.int64],
) -> None:
    editions = ledger.editions[numbers]
    flat = batch.column("embedding").flatten().to_numpy(zero_copy_only=False)
    vectors = flat.astype(np.float32, copy=False).reshape(len(numbers), DIM)
    wanted = corpus.vectors_of(numbers, editions)
    differs = (vectors.view(np.uint32) != wanted.view(np.uint32)).any(axis=1)
    texts = batch.column("text").to_pylist()
    names = batch.column("name").to_pylist()
    modules = batch.column("module").to_pylist()
    for place, number in enumerate(numbers.tolist()):
        source = corpus.texts[number % len(corpus.texts)]
        if (
            texts[place] != corpus.text(number, int(editions[place]))
            or names[place] != source.name
            or modules[place] != source.module
        ):
            differs[place] = True
    _count(verdict, "row is altered", numbers[differs], "altered")
