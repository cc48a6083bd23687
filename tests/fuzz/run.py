"""A run: batches of cases, each drawn by hypothesis from the run's seed; the verdict in words.

**Owns** the course of a run and what is printed. **Does not own** a case (`fuzz.batch`).

The same seed and the same code give the same cases. Hypothesis makes a failing case smaller; it
does so against the cluster as it is by then, so the first failure is printed as well.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException

from fuzz.answers import Wrong
from fuzz.batch import Batch, Case, Tally
from fuzz.door import Door

BATCH_CASES = 250
SOCKET_EVERY = 10  # of the cases go through a socket once more
SHRINKS_MOST = 400


@dataclass(frozen=True)
class Failure:
    """A case that went wrong. `smaller` is what is left of it when it still does, if that was
    found."""

    batch: int
    number: int
    words: str
    case: Case | None
    smaller: Case | None
    story: tuple[str, ...]

    def __str__(self) -> str:
        parts = [f"batch {self.batch}, case {self.number}: {self.words}"]
        if self.case is not None:
            parts.append(f"the request:\n{self.case}")
        if self.smaller is not None and self.smaller != self.case:
            parts.append(f"made smaller:\n{self.smaller}")
        if self.story:
            parts.append("what the processes said last:\n" + "\n".join(self.story))
        return "\n\n".join(parts)


def run(
    first: int, cases: int, tell: Callable[[str], None], only: int | None = None
) -> tuple[Tally, Failure | None]:
    """Run `cases` cases of a seed, or only the batch of that number; stop at the first failure."""
    tally = Tally()
    with Door() as door:
        for batch in range((cases + BATCH_CASES - 1) // BATCH_CASES):
            count = min(BATCH_CASES, cases - batch * BATCH_CASES)
            if only is not None and batch != only:
                continue
            failure = _Run(first, batch, count, tally, door).run()
            tell(f"{tally.cases} cases, {tally.outcomes['done']} done, {tally.rows_read} rows read")
            if failure is not None:
                return tally, failure
    return tally, None


class _Run:
    """One batch and its first failure."""

    def __init__(self, first: int, number: int, count: int, tally: Tally, door: Door) -> None:
        self._number = number
        self._count = count
        self._tally = tally
        self._door = door
        self._seed = first * 1_000_003 + number
        self._failed: tuple[int, str, Case, tuple[str, ...]] | None = None
        self._smaller: Case | None = None
        self._shrinks = 0
        self._batch = Batch(self._seed, tally)

    def run(self) -> Failure | None:
        """Every case, then the end of the batch."""
        try:
            self._draw()
            if self._failed is None:
                self._end()
        finally:
            self._batch.close()
        if self._failed is None:
            return None
        number, words, case, story = self._failed
        return Failure(self._number, number, words, case, self._smaller, story)

    def _draw(self) -> None:
        @seed(self._seed)
        @settings(
            max_examples=self._count,
            database=None,
            deadline=None,
            print_blob=False,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        @given(st.randoms(use_true_random=False))
        def each(chance: random.Random) -> None:
            self._one(chance)

        try:
            each()
        except (Wrong, HypothesisException, ExceptionGroup):
            assert self._failed is not None

    def _one(self, chance: random.Random) -> None:
        if self._failed is not None:
            self._shrinks += 1
            if self._shrinks > SHRINKS_MOST:
                return  # enough: what is smallest so far is told
        case = self._batch.make(chance)
        try:
            self._batch.judge(case)
        except Wrong as wrong:
            if self._failed is None:
                story = tuple(self._batch.world.story())
                self._failed = (len(self._batch.sent), str(wrong), case, story)
            self._smaller = case
            raise

    def _end(self) -> None:
        try:
            self._batch.finish()
            for case in self._batch.sent[::SOCKET_EVERY]:
                self._failed = (len(self._batch.sent), "through a socket", case, ())
                self._door.judge(case)
                self._tally.socket_cases += 1
            self._failed = None
        except Wrong as wrong:
            case = self._failed[2] if self._failed else self._batch.sent[-1]
            self._failed = (len(self._batch.sent), str(wrong), case, ())
