"""Syncs on their way to the store, and the order in which they are reported.

**Owns** the state of each sync of one flowgraph between its cut and its report: encoding, storing,
stored. **Does not own** how objects are put (`shell`) or what a report says (`report`).

Syncs are encoded and put side by side and are ready to be reported in the order of their numbers,
so the channel checkpoint moves over a contiguous prefix. A put is repeated for ever: nothing is
given up because a store does not answer.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from headrace.datanode.handoff import EncodedObject, EncodedPack, StoredPack, SyncHead


class Stage(StrEnum):
    """Where a sync is."""

    ENCODING = "encoding"
    STORING = "storing"
    STORED = "stored"


def is_reportable(stage: Stage) -> bool:
    """Objects are stored before they are reported."""
    return stage is Stage.STORED


@dataclass(slots=True)
class Sync:
    """One sync under way. `attempt` counts its tries to put, `trouble` is the last failure."""

    head: SyncHead
    stage: Stage
    encoded: EncodedPack | None = None
    left: tuple[EncodedObject, ...] = ()  # objects that are not known to stand
    size_bytes: int = 0  # of its files, once they are made
    attempt: int = 0
    trouble: str = ""


class Order:
    """The syncs of one flowgraph, in the order of their numbers."""

    def __init__(self) -> None:
        self._syncs: dict[int, Sync] = {}

    def __len__(self) -> int:
        return len(self._syncs)

    def __iter__(self) -> Iterator[Sync]:
        return iter(self._syncs.values())

    def __contains__(self, number: int) -> bool:
        return number in self._syncs

    def begin(self, head: SyncHead) -> Sync:
        """A sync was cut; one without files has nothing to wait for."""
        stage = Stage.ENCODING if head.has_files else Stage.STORED
        sync = self._syncs[head.number] = Sync(head, stage)
        if not head.has_files:
            sync.encoded = EncodedPack(number=head.number, objects=(), files={}, delta=None)
        return sync

    def get(self, number: int) -> Sync:
        """A sync that is not reported yet."""
        return self._syncs[number]

    def encoded(self, encoded: EncodedPack) -> Sync:
        """Its files are made."""
        sync = self._syncs[encoded.number]
        assert sync.stage is Stage.ENCODING, sync
        sync.stage, sync.encoded = Stage.STORING, encoded
        sync.left, sync.size_bytes = encoded.objects, encoded.size_bytes
        return sync

    def failed(self, number: int, stored: frozenset[str], trouble: str) -> Sync:
        """Some of its objects are not known to stand; `stored` are the keys of those that do."""
        sync = self._syncs[number]
        sync.left = tuple(o for o in sync.left if o.key not in stored)
        assert sync.left, f"sync {number} failed with nothing left to put"
        sync.attempt += 1
        sync.trouble = trouble
        return sync

    def stored(self, number: int) -> Sync:
        """All of its objects stand; what is kept of it is small from now on."""
        sync = self._syncs[number]
        assert sync.encoded is not None and sync.stage is Stage.STORING, sync
        sync.encoded = EncodedPack(
            number=number, objects=(), files=sync.encoded.files, delta=sync.encoded.delta
        )
        sync.stage, sync.left, sync.trouble = Stage.STORED, (), ""
        return sync

    def next(self) -> StoredPack | None:
        """The sync to be reported next, if it may be."""
        for sync in self._syncs.values():
            if sync.encoded is not None and is_reportable(sync.stage):
                return StoredPack(sync.head, sync.encoded.files, sync.encoded.delta)
            return None
        return None

    def reported(self, number: int) -> Sync:
        """A sync is wholly reported: forget it."""
        assert next(iter(self._syncs)) == number, "syncs are reported in the order of their numbers"
        return self._syncs.pop(number)

    def forget(self) -> list[Sync]:
        """Give all up (the flowgraph ended or the collection was dropped)."""
        syncs = list(self._syncs.values())
        self._syncs.clear()
        return syncs
