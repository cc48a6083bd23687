"""Timestamps as people read them.

**Owns** the text of a hybrid timestamp's moment. **Does not own** the layout (`model.timestamp`) or
which timestamp a time means (`reader.snapshot`).
"""

import datetime

from headrace.model.timestamp import Timestamp, physical_ms


def iso_time(timestamp: Timestamp) -> str:
    """The time for people to read: ISO 8601 in UTC, to the millisecond."""
    moment = datetime.datetime.fromtimestamp(physical_ms(timestamp) / 1000, datetime.UTC)
    return moment.isoformat(timespec="milliseconds")
