"""What the model of the node side speaks of.

**Owns** its values: entries, segments, objects, reports, flowgraphs, the state. **Does not own**
any step (`store`, `flowgraph`, `jobs`).
"""

from typing import NamedTuple


class Entry(NamedTuple):
    kind: str  # row, upsert (a delete and a row in one entry), delete, seal, drop
    segment: str = ""
    key: str = ""


DELTA = "delta"  # where the deletes of the vchannel go
LINE = ("growing", "flushed", "dropped")  # sealed is a fact of the log


class Segment(NamedTuple):
    name: str
    state: str = "growing"
    upto: int = 0  # its checkpoint
    files: tuple = ()  # keys of objects


class Object(NamedTuple):
    key: tuple  # (segment, epoch, number)
    epoch: int
    entries: tuple  # what is in it


class Report(NamedTuple):
    """What it extends and what it brings; segment "" = the channel checkpoint alone."""

    epoch: int
    segment: str
    extends: int
    upto: int
    key: tuple
    flush: bool
    channel: tuple  # the channel checkpoint: (extended, new)
    entries: tuple = ()


class Flow(NamedTuple):
    """One flowgraph: what it was told, has read, keeps, and has stored and not reported."""

    epoch: int
    known: tuple  # ((segment, its checkpoint), ...)
    checkpoint: int
    position: int
    buffer: tuple = ()  # entries not yet in an object: ((number, segment), ...)
    sealed: tuple = ()  # seals met of segments not yet flushed: ((number, segment), ...)
    queue: tuple = ()  # reports in order, the first is on its way
    copy: Report | None = None  # the last report that was answered; a copy may arrive late
    number: int = 1  # of the next object
    phase: str = "runs"


class State(NamedTuple):
    epoch: int = 1
    checkpoint: int = 0
    segments: tuple = ()
    objects: frozenset = frozenset()
    list: tuple = ()  # the highest manifest: (revision, T, keys)
    leader: int = 1
    flows: tuple = ()
    plans: tuple = ()  # what was read and not yet acted on: ((leader or "collector", ...), ...)


def put(items: tuple, old, new) -> tuple:
    at = items.index(old)
    return (*items[:at], new, *items[at + 1 :])
