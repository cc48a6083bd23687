"""Keeps the syncs of one flowgraph, from cut to report, in the order in which they are reported.

Syncs are encoded and put side by side and become ready to be reported in the order of their
numbers, so the channel checkpoint moves over a contiguous prefix. A put is repeated until it
succeeds: nothing is given up because a store does not answer.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from headrace.datanode.handoff import Stage, SyncPack
from headrace.model.channel import Position
from headrace.model.timestamp import Timestamp


class Order:
    """The syncs of one flowgraph, in the order of their numbers."""

    def __init__(self) -> None:
        self._packs: dict[int, SyncPack] = {}

    def __len__(self) -> int:
        return len(self._packs)

    def __iter__(self) -> Iterator[SyncPack]:
        return iter(self._packs.values())

    def __contains__(self, number: int) -> bool:
        return number in self._packs

    def begin(self, pack: SyncPack) -> None:
        """A sync was cut; one without files is stored already."""
        self._packs[pack.number] = pack

    def encoded(self, pack: SyncPack) -> None:
        """Its files are made."""
        assert self._packs[pack.number].stage is Stage.ENCODING, pack
        self._packs[pack.number] = pack

    def failed(self, number: int, stored: frozenset[str], trouble: str) -> SyncPack:
        """Some of its objects are not known to stand; `stored` are the keys of those that do."""
        pack = self._packs[number]
        left = tuple(o for o in pack.left if o.key not in stored)
        assert left, f"sync {number} failed with nothing left to put"
        attempt = pack.attempt + 1
        return self._keep(replace(pack, left=left, attempt=attempt, trouble=trouble))

    def stored(self, number: int) -> SyncPack:
        """All of its objects stand, and their bytes are let go."""
        pack = self._packs[number]
        assert pack.stage is Stage.STORING, pack
        return self._keep(replace(pack, stage=Stage.STORED, left=(), trouble=""))

    def _keep(self, pack: SyncPack) -> SyncPack:
        self._packs[pack.number] = pack
        return pack

    def next(self) -> SyncPack | None:
        """The sync to be reported next, if its objects stand."""
        first = next(iter(self), None)
        return first if first is not None and first.stage is Stage.STORED else None

    def reported(self, number: int) -> None:
        """A sync is wholly reported: forget it."""
        assert next(iter(self._packs)) == number, "syncs are reported in the order of their numbers"
        del self._packs[number]

    def forget(self) -> list[SyncPack]:
        """Give all up: the flowgraph ended or the collection was dropped."""
        packs = list(self)
        self._packs.clear()
        return packs

    # ---- what holds the checkpoint -----------------------------------------------------------

    def holders(self, reported: int) -> Iterator[Position]:
        """What the checkpoint waits for once the sync of that number (0 = none) is reported."""
        return (p for pack in self if pack.number != reported for p in pack.holders)

    def blockers(self, now: float, report: Callable[[int], str]) -> Iterator[tuple[Timestamp, str]]:
        """The holders in words, for people; `report` says how the report of a stored sync is."""
        for pack in self:
            names = ", ".join(str(p.segment_id) for p in pack.segments)
            what = f"segment {names}" if names else "deletes"
            state = report(pack.number) if pack.stage is Stage.STORED else pack.stage
            if pack.trouble:
                state = f"put failed: {pack.trouble}"
            text = f"{what}: sync since {now - pack.begun_s:.1f} s; {state}"
            for holder in pack.holders:
                yield holder.timestamp, text
