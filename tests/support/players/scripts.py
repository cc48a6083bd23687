"""Scripts of events with the effects that are expected: a race written down for people to read.

**Owns** the format and the comparison. **Does not own** the commands (each role's player).

A script is a list of steps: a command, `----`, the lines that it is expected to print, an empty
line. Lines that begin with `#` say why, and stand before a command. `HEADRACE_REWRITE=1 pytest
tests/scenarios` writes what was printed into the scripts; the difference is then read like code.
"""

import dataclasses
import os
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

SEPARATOR = "----"


@dataclasses.dataclass(slots=True)
class Step:
    """One command, with the comment before it and what it printed."""

    comment: list[str]
    command: str
    printed: list[str]

    def __str__(self) -> str:
        return "\n".join([*self.comment, self.command, SEPARATOR, *self.printed]) + "\n"


def parse(text: str) -> list[Step]:
    """The steps of a script."""
    steps = []
    for block in filter(str.strip, text.split("\n\n")):
        lines = block.strip("\n").split("\n")
        comment = [line for line in lines if line.startswith("#")]
        rest = [line for line in lines if not line.startswith("#")]
        if not rest:
            steps.append(Step(comment, "", []))
            continue
        assert len(rest) >= 2 and rest[1] == SEPARATOR, f"no {SEPARATOR} after {rest[0]!r}"
        steps.append(Step(comment, rest[0], rest[2:]))
    return steps


def run(script: Path, play: Callable[[str], list[str]]) -> None:
    """Play a script; an assertion shows the first step that printed something else."""
    steps = parse(script.read_text())
    rewrite = bool(os.environ.get("HEADRACE_REWRITE"))
    for step in steps:
        if not step.command:
            continue
        printed = play(step.command)
        if not rewrite:
            assert printed == step.printed, f"{script.name}: {step.command}"
        step.printed = printed
    if rewrite:
        text = "\n".join("\n".join(s.comment) + "\n" if not s.command else str(s) for s in steps)
        script.write_text(text)


def show(value: Any) -> str:
    """A dataclass as `Name field=value ...`, fields that have their default left out."""
    words = [type(value).__name__]
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        if field.default is not dataclasses.MISSING and item == field.default:
            continue
        words.append(f"{field.name}={show_item(item)}")
    return " ".join(words)


def show_item(item: Any) -> str:
    """A field's value, short."""
    if isinstance(item, Enum):
        return str(item.value)
    if isinstance(item, Exception):
        return f"{type(item).__name__}({item})"
    if dataclasses.is_dataclass(item) and not isinstance(item, type):
        return f"({show(item)})"
    if isinstance(item, tuple):
        return ",".join(map(show_item, item)) or "()"
    if isinstance(item, float):
        return f"{item:g}"
    return str(item)
