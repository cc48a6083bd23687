"""Journals as text, and a machine stepped again through what its journal recorded.

A machine is a pure function of what it was made of and of its events with their times. So a journal
that has its beginning can be replayed: a machine made of the same arguments is told the same events
and must order the same effects. Where it does not, the machine depends on something that is not in
its events, or the program has changed since.
"""

import json
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from headrace.model.errors import Invalid
from headrace.runtime.journal.steps import Journal, Start, Step
from headrace.runtime.journal.values import class_at, keep, pack, path_of, unpack

STORY = "story:"  # topics of a StatusRequest: the steps that mention the text behind it
JOURNAL = "journal"  # all steps, as values
LINES_MOST_BYTES = 64 << 20  # of an answer: a message takes 96 MB


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a journal had when it was read."""

    start: Start | None
    lost: int  # steps that it had forgotten
    shortened: int  # events and effects that were too large to be kept
    steps: tuple[Step, ...]


def details(records: Mapping[str, Recorded], topic: str) -> dict[str, Any]:
    """The answer to a StatusRequest about one of these topics; empty for all others. Its time grows
    with the journals, so it is work for a thread."""
    if topic == JOURNAL:
        most = LINES_MOST_BYTES // max(1, len(records))
        lines = {name: lines_of(record, most) for name, record in records.items()}
        return {"journal": [{"machine": m, "line": x} for m, own in lines.items() for x in own]}
    about = topic.removeprefix(STORY)
    steps = [step for record in records.values() for step in record.steps if step.mentions(about)]
    return {"story": "\n".join(map(str, steps))} if steps else {}


def is_about_steps(topic: str) -> bool:
    """Whether `details` answers it."""
    return topic == JOURNAL or topic.startswith(STORY)


def recorded(journal: Journal) -> Recorded:
    """What it has now."""
    return Recorded(journal.start, journal.lost, journal.shortened, tuple(journal.steps()))


def lines_of(record: Recorded, most_bytes: int = LINES_MOST_BYTES) -> list[str]:
    """A line of JSON for its beginning and one for each step: of the newest steps, as many as
    there is room for."""
    start, lines, left = record.start, deque[str](), most_bytes
    for step in reversed(record.steps):
        line = json.dumps(_packed(step))
        left -= len(line)
        if left < 0:
            break
        lines.appendleft(line)
    made = start and [path_of(start.machine), pack(start.arguments), pack(start.named)]
    lost = record.lost + len(record.steps) - len(lines)
    return [json.dumps({"made": made, "lost": lost, "shortened": record.shortened}), *lines]


def read_lines(lines: Iterable[str]) -> Recorded:
    """What `lines_of` wrote; `Invalid` when they are no journal of this version."""
    try:
        head, *rest = map(json.loads, lines)
        made = head["made"]
        start = made and Start(class_at(made[0]), unpack(made[1]), unpack(made[2]))
        steps = (
            Step(number, now, unpack(cause), unpack(event), tuple(map(unpack, effects)))
            for number, now, cause, event, effects in rest
        )
        return Recorded(start, head["lost"], head["shortened"], tuple(steps))
    except (ValueError, KeyError, TypeError, ImportError) as error:
        raise Invalid(f"this is no journal, or not of this version: {error}") from error


def replay(record: Recorded) -> str:
    """How a machine that is made anew differs at its first difference; "" when it does not.

    `Invalid` when the journal does not have all steps since its beginning.
    """
    start = record.start
    if start is None or record.lost:
        raise Invalid(
            f"the journal has lost its first {record.lost} steps: a replay needs all of them "
            "(set process.journal_steps higher before the process starts)"
        )
    if record.shortened:
        raise Invalid(
            f"{record.shortened} events or effects were too large to be kept: a replay needs all "
            "(set process.journal_values higher before the process starts)"
        )
    machine = start.machine(*start.arguments, **start.named)
    for step in record.steps:
        effects = tuple(keep(effect) for effect in machine.step(step.event, step.now))
        if pack(effects) != pack(step.effects):
            again = Step(step.number, step.now, step.cause, step.event, effects)
            return f"step {step.number} ordered otherwise; then:\n{step}\nnow:\n{again}"
    return ""


def _packed(step: Step) -> list[Any]:
    effects = [pack(effect) for effect in step.effects]
    return [step.number, step.now, pack(step.cause), pack(step.event), effects]
