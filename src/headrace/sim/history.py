"""What clients were told, and the comparison with what stands in the log.

Outcomes: `acknowledged` rows stand exactly once, at the timestamp of the answer or below; `refused`
with gRPC's UNAVAILABLE means that none of them stands; all others are `unsure`: at most once.
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from headrace.model.channel import parse_vchannel
from headrace.sim.oracle import Truth, Violation


class WriteOutcome(StrEnum):
    """What the client knows."""

    ACKNOWLEDGED = "acknowledged"
    NOTHING_STANDS = "nothing-stands"
    UNSURE = "unsure"


@dataclass(slots=True)
class WriteRecord:
    """One insert, upsert or delete. Its rows have a value that no other write has."""

    number: int
    kind: str
    keys: tuple[int, ...]
    value: int
    partition: str = ""
    outcome: WriteOutcome = WriteOutcome.UNSURE
    timestamp: int = 0
    attempts: int = 0


@dataclass(slots=True)
class History:
    """All writes of a run."""

    writes: list[WriteRecord] = field(default_factory=list)
    flushes: list[tuple[int, int]] = field(default_factory=list)  # (collection id, T), done

    def check(self, truths: dict[str, Truth]) -> None:
        """Compare with the whole log; `Violation` at the first write that does not fit."""
        # A name may be dropped and made anew under a client's feet: its repeat then writes into the
        # new collection, so a row may stand once in each.
        stands: dict[tuple[int, int], Counter[int]] = {}  # (key, value) -> by collection
        deleted: set[int] = set()
        for truth in truths.values():
            for vchannel, channel in truth.channels.items():
                collection_id = parse_vchannel(vchannel).collection_id
                for row in channel.rows:
                    assert isinstance(row.key, int) and isinstance(row.value, int)
                    stands.setdefault((row.key, row.value), Counter())[collection_id] += 1
                deleted.update(int(d.key) for d in channel.deletes)
        for write in self.writes:
            if write.kind == "delete":
                self._check_delete(write, deleted)
            else:
                self._check_rows(write, stands)

    def _check_rows(self, write: WriteRecord, stands: dict[tuple[int, int], Counter[int]]) -> None:
        for key in write.keys:
            count = max(stands.get((key, write.value), Counter({0: 0})).values())
            if count > 1:
                raise Violation(f"RQ-1 row {key} of {write} stands {count} times in the log")
            if write.outcome is WriteOutcome.ACKNOWLEDGED and count == 0:
                raise Violation(f"DL-1 row {key} of {write} was acknowledged and does not stand")
            if write.outcome is WriteOutcome.NOTHING_STANDS and count:
                raise Violation(f"RQ-1 {write} was answered UNAVAILABLE, but row {key} stands")

    def _check_delete(self, write: WriteRecord, deleted: set[int]) -> None:
        if write.outcome is WriteOutcome.ACKNOWLEDGED:
            for key in write.keys:
                if key not in deleted:
                    raise Violation(f"DL-2 delete of {key} in {write} was acknowledged, not there")
