"""The journal of one machine: its last events, with the time and the effects of each.

**Owns** a ring of lines, the story that they tell and its dump when an assertion fails. **Does not
own** the machine; the driver calls `record` after each step.

A line is written as text at once: a ring of objects would keep alive the rows that passed through
the machine, outside every byte budget, and would show objects as they became later.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

KEPT_STEPS = 1_000
TEXT_MOST = 600  # characters of one event or effect
DUMPED_STEPS = 50


@dataclass(frozen=True, slots=True)
class Step:
    """One event, what was ordered because of it, and when (monotonic seconds)."""

    number: int
    now: float
    event: str
    effects: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{self.number:>6} {self.now:>12.3f} s  {self.event}"]
        lines += [f"{'':>23}-> {effect}" for effect in self.effects]
        return "\n".join(lines)

    def mentions(self, text: str) -> bool:
        """Whether the event or one of its effects contains `text`."""
        return text in self.event or any(text in effect for effect in self.effects)


class Journal:
    """A ring of the last steps. Pass `record` to the driver as `journal`."""

    def __init__(self, kept_steps: int = KEPT_STEPS) -> None:
        self._steps: deque[Step] = deque(maxlen=kept_steps)
        self._count = 0

    def record(self, event: object, effects: Sequence[object], now: float) -> None:
        """Keep one step, forgetting the oldest when the ring is full."""
        self._count += 1
        self._steps.append(Step(self._count, now, _text(event), tuple(map(_text, effects))))

    def steps(self, keep: Callable[[Step], bool] | str = "") -> list[Step]:
        """The steps kept, oldest first: all, those that mention a text, or those that pass."""
        if isinstance(keep, str):
            text = keep
            return [step for step in self._steps if step.mentions(text)]
        return [step for step in self._steps if keep(step)]

    def story(self, keep: Callable[[Step], bool] | str = "", last: int | None = None) -> str:
        """The steps as text, e.g. `story("segment_id=42")`; with `last` only the newest of them."""
        steps = self.steps(keep)
        return "\n".join(map(str, steps if last is None else steps[-last:] if last else []))

    @contextmanager
    def told_on_assertion(self, name: str) -> Iterator[None]:
        """Add the newest steps to an `AssertionError` that passes: we are wrong, this is how.

        The error goes on its way; whoever logs it prints the notes with it.
        """
        try:
            yield
        except AssertionError as error:
            error.add_note(f"the last steps of {name}:\n{self.story(last=DUMPED_STEPS)}")
            raise


def _text(value: object) -> str:
    text = repr(value)
    return text if len(text) <= TEXT_MOST else f"{text[:TEXT_MOST]}... ({len(text)} characters)"
