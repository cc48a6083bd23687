"""Journals as text, and a machine stepped again through what its journal recorded.

A machine is a pure function of what it was made of and of its events with their times. So a journal
that has its beginning can be replayed: a machine made of the same arguments is told the same events
and must order the same effects. Where it does not, the machine depends on something that is not in
its events, or the program has changed since.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from headrace.model.errors import Invalid
from headrace.runtime.journal.steps import Journal, Start, Step
from headrace.runtime.journal.values import class_at, keep, pack, path_of, unpack

STORY = "story:"  # topics of a StatusRequest: the steps that mention the text behind it
JOURNAL = "journal"  # all steps, as values


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a journal had when it was read."""

    start: Start | None
    lost: int  # steps that it had forgotten
    steps: tuple[Step, ...]


def details(journals: Mapping[str, Journal], topic: str) -> dict[str, Any]:
    """The answer to a StatusRequest about one of these topics; empty for all others."""
    if topic == JOURNAL:
        return {"journals": {name: lines_of(journal) for name, journal in journals.items()}}
    if topic.startswith(STORY):
        stories = (journal.story(topic.removeprefix(STORY)) for journal in journals.values())
        return {"story": text} if (text := "\n".join(filter(None, stories))) else {}
    return {}


def recorded(journal: Journal) -> Recorded:
    """What it has now."""
    return Recorded(journal.start, journal.lost, tuple(journal.steps()))


def lines_of(journal: Journal) -> list[str]:
    """A line of JSON for its beginning and one for each step."""
    start = journal.start
    made = start and [path_of(start.machine), pack(start.arguments), pack(start.named)]
    head = {"made": made, "lost": journal.lost}
    return [json.dumps(head), *(json.dumps(_packed(step)) for step in journal.steps())]


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
        return Recorded(start, head["lost"], tuple(steps))
    except (ValueError, KeyError, TypeError, ImportError) as error:
        raise Invalid(f"this is no journal, or not of this version: {error}") from error


def replay(record: Recorded) -> str:
    """How a machine that is made anew differs at its first difference; "" when it does not.

    `Invalid` when the journal does not have its beginning.
    """
    start = record.start
    if start is None or record.lost:
        raise Invalid(
            f"the journal has lost its first {record.lost} steps: a replay needs all of them "
            "(set process.journal_steps higher before the process starts)"
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
