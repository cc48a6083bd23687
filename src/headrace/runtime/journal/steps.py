"""The journal of one machine: its last steps, each with its cause, its time and its effects.

A step is kept as values that cannot change and hold no rows (`runtime.journal.values`): a ring of
the objects themselves would keep alive the rows that passed through the machine, outside every byte
budget, and would show what they became later. An event or effect that is made of very many values
is kept by its name only. Text is made when it is read. A journal that was begun with `begin`, has
lost no step and has all values can be replayed (`runtime.journal.replay`).
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from headrace.runtime.driver import Cause
from headrace.runtime.journal.values import Opaque, is_larger, keep

KEPT_STEPS = 1_000
KEPT_VALUES = 400  # of one event or effect
TEXT_MOST = 600  # characters of one event or effect
DUMPED_STEPS = 50

M = TypeVar("M")
P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Start:
    """What a machine was made of."""

    machine: Callable[..., Any]  # its class
    arguments: tuple[Any, ...]
    named: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One event, why it came, when (monotonic seconds), and what was ordered because of it."""

    number: int
    now: float
    cause: Cause
    event: Any
    effects: tuple[Any, ...]

    def __str__(self) -> str:
        lines = [f"{self.number:>6} {self.now:>12.3f} s  {_text(self.event)} <- {self.cause}"]
        lines += [f"{'':>23}-> {_text(effect)}" for effect in self.effects]
        return "\n".join(lines)

    def mentions(self, text: str) -> bool:
        """Whether the event or one of its effects contains `text`, as they are printed."""
        return any(text in _text(value) for value in (self.event, *self.effects))


class Journal:
    """A ring of the last steps. Pass `record` to the driver as `journal`.

    Steps that are `routine` have a ring of their own, so that they do not push out the others.
    """

    def __init__(
        self,
        kept_steps: int = KEPT_STEPS,
        routine: Callable[[Any, Sequence[Any]], bool] | None = None,
        kept_values: int = KEPT_VALUES,
    ) -> None:
        self.start: Start | None = None
        self.shortened = 0  # events and effects that were too large to be kept
        self._kept_values = kept_values
        self._routine = routine
        self._steps: deque[Step] = deque(maxlen=kept_steps)
        self._routine_steps: deque[Step] = deque(maxlen=kept_steps)
        self._count = 0

    def begin(self, machine: Callable[P, M], *args: P.args, **kwargs: P.kwargs) -> M:
        """A machine made of these arguments, which must be values and are kept as the first record
        (copied before the machine sees them)."""
        self.start = Start(machine, keep(args), keep(kwargs))
        return machine(*args, **kwargs)

    def record(
        self, number: int, now: float, cause: Cause, event: Any, effects: Sequence[Any]
    ) -> None:
        """Keep one step, forgetting the oldest when the ring is full."""
        self._count += 1
        step = Step(number, now, cause, self._keep(event), tuple(map(self._keep, effects)))
        routine = self._routine is not None and self._routine(event, effects)
        (self._routine_steps if routine else self._steps).append(step)

    def _keep(self, value: Any) -> Any:
        if is_larger(value, self._kept_values):
            self.shortened += 1
            return Opaque(f"{type(value).__name__} of more than {self._kept_values} values")
        return keep(value)

    @property
    def lost(self) -> int:
        """How many steps are forgotten."""
        return self._count - len(self._steps) - len(self._routine_steps)

    def steps(self, chosen: Callable[[Step], bool] | str = "") -> list[Step]:
        """The steps kept, oldest first: all, those that mention a text, or those that pass."""
        steps = sorted([*self._steps, *self._routine_steps], key=lambda step: step.number)
        if isinstance(chosen, str):
            return [step for step in steps if step.mentions(chosen)] if chosen else steps
        return [step for step in steps if chosen(step)]

    def story(self, chosen: Callable[[Step], bool] | str = "", last: int | None = None) -> str:
        """The steps as text, e.g. `story("segment_id=42")`; with `last` only the newest of them."""
        steps = self.steps(chosen)
        return "\n".join(map(str, steps if last is None else steps[-last:] if last else []))

    @contextmanager
    def told_on_assertion(self, name: str) -> Iterator[None]:
        """Add the newest steps to an `AssertionError` that passes: we are wrong, this is how.

        The error goes on its way; its log entry has the notes.
        """
        try:
            yield
        except AssertionError as error:
            error.add_note(f"the last steps of {name}:\n{self.story(last=DUMPED_STEPS)}")
            raise


def _text(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= TEXT_MOST else f"{text[:TEXT_MOST]}... ({len(text)} characters)"
