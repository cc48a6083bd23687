"""Builds with one rule of the protocol left out: what the simulator has to catch.

Each mutant replaces one of the small functions in which the production code keeps its rules. The
names are those of the rules; `without` applies one while a seed runs.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from headrace.datanode import watches
from headrace.datanode.persist import put
from headrace.datanode.watches import Verdict
from headrace.dataservice import rules as service_rules
from headrace.sequencer.rules import Rules

# where, which name, what stands there instead; all at once
Mutant = tuple[tuple[Any, str, Callable[..., Any]], ...]

MUTANTS: dict[str, Mutant] = {
    "reports compare the epoch": (
        (service_rules, "epoch_agrees", lambda record, epoch, server_id: not record.ended),
    ),
    "files and checkpoint in one transaction": (
        (
            service_rules,
            "one_transaction",
            lambda files, checkpoints: (tuple(checkpoints), tuple(files)),
        ),
    ),
    "acknowledged when it stands": ((Rules, "acknowledges_when_sent", lambda self: True),),
    "one append in flight": ((Rules, "may_send", lambda self, in_flight: in_flight < 2),),
    "an epoch starts once": (
        (watches.Watches, "judge", lambda self, vchannel, epoch, running: Verdict.STARTS),
        (put, "is_ours", lambda *args: True),  # else the taken object key shows it first
    ),
    "the watch names flushed segments above the seek position": (
        (service_rules, "names_above_seek", lambda checkpoint, seek: False),
    ),
    "a new sequencer reads the window": ((Rules, "reads_window", lambda self: False),),
    "what is recorded is appended first": ((Rules, "appended_first", lambda self, recorded: ()),),
    "the collector reads the epoch first": (
        (service_rules, "collector_reads", lambda epochs, references: (references, epochs)),
    ),
}


@contextlib.contextmanager
def without(rule: str) -> Iterator[None]:
    """The production code with one rule left out."""
    with contextlib.ExitStack() as stack:
        for where, name, instead in MUTANTS[rule]:
            stack.callback(setattr, where, name, where.__dict__[name])
            setattr(where, name, instead)
        yield
