"""Segments and the files that make them up.

The log seals a segment, the data service commits it. Sealed is a fact of the log; in meta a segment
is growing until its flush is reported.
"""

from dataclasses import dataclass
from enum import StrEnum

from headrace.model.ids import Epoch
from headrace.model.timestamp import Timestamp


class SegmentState(StrEnum):
    """growing -> sealed -> flushed -> dropped."""

    GROWING = "growing"
    SEALED = "sealed"
    FLUSHED = "flushed"
    DROPPED = "dropped"


LINE = (
    SegmentState.GROWING,
    SegmentState.SEALED,
    SegmentState.FLUSHED,
    SegmentState.DROPPED,
)


def may_become(old: SegmentState, new: SegmentState) -> bool:
    """SG-1: states move only along the line."""
    return LINE.index(new) >= LINE.index(old)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRef:
    """One object: an insert log (rows), a delta log (deletes) or a stats log.

    `key` is relative to the store's root. Timestamps are those of the first and last entry in it.
    Keys' range as text: decimal for int64 keys, the text itself for varchar.
    """

    key: str
    epoch: Epoch
    rows: int
    size_bytes: int
    first_timestamp: Timestamp
    last_timestamp: Timestamp
    min_key: str = ""
    max_key: str = ""
    stats_key: str = ""  # the stats log beside it, "" = none
