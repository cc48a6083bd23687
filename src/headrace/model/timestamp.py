"""Hybrid timestamps: 46 bits of milliseconds since 1970, 18 bits of a logical counter.

The layout is Milvus's, so clients can read it. The master service grants ranges, a sequencer uses
them.
"""

import datetime
from typing import TypeAlias

Timestamp: TypeAlias = int

LOGICAL_BITS = 18
LOGICAL_MASK = (1 << LOGICAL_BITS) - 1


def compose(physical_ms: int, logical: int = 0) -> Timestamp:
    """The timestamp of a millisecond and a counter below 2**18."""
    assert 0 <= logical <= LOGICAL_MASK, logical
    return (physical_ms << LOGICAL_BITS) | logical


def physical_ms(timestamp: Timestamp) -> int:
    """Milliseconds since 1970."""
    return timestamp >> LOGICAL_BITS


def logical(timestamp: Timestamp) -> int:
    """The counter inside the millisecond."""
    return timestamp & LOGICAL_MASK


def iso_time(timestamp: Timestamp) -> str:
    """Its time for people to read: ISO 8601 in UTC, to the millisecond."""
    time = datetime.datetime.fromtimestamp(physical_ms(timestamp) / 1000, datetime.UTC)
    return time.isoformat(timespec="milliseconds")
