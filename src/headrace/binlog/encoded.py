"""Encoded files: what the writer of a format hands on to be stored.

The key range goes into meta, which wants small values: long texts are cut to bounds (a lower one
below the smallest key, an upper one above the largest), so the range may be wider than the keys.
"""

from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from headrace.model.entry import Body
from headrace.model.ids import Epoch
from headrace.model.segment import FileRef
from headrace.model.timestamp import Timestamp

KEY_BOUND_CHARACTERS = 64
_LAST_CODE_POINT = 0x10FFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedFile:
    """A file in parts, to be written one after the other, and what meta says of it."""

    parts: tuple[Body, ...] = field(repr=False)
    rows: int
    size_bytes: int
    first_timestamp: Timestamp
    last_timestamp: Timestamp
    min_key: str
    max_key: str
    keys: pa.Array = field(repr=False)  # of all rows, in their order
    view_bytes: int = 0  # of `size_bytes`: views of the rows that were given, kept alive by them

    def ref(self, key: str, epoch: Epoch, stats_key: str = "") -> FileRef:
        """What meta says of it once it is stored under `key`."""
        return FileRef(
            key=key,
            epoch=epoch,
            rows=self.rows,
            size_bytes=self.size_bytes,
            first_timestamp=self.first_timestamp,
            last_timestamp=self.last_timestamp,
            min_key=self.min_key,
            max_key=self.max_key,
            stats_key=stats_key,
        )


def encoded_file(
    parts: tuple[Body, ...],
    keys: pa.Array,
    times: tuple[Timestamp, Timestamp],
    view_bytes: int = 0,
) -> EncodedFile:
    """A file of rows with these keys, whose timestamps lie between `times`."""
    least, greatest = key_range(keys)
    return EncodedFile(
        parts=parts,
        rows=len(keys),
        size_bytes=sum(map(len, parts)),
        first_timestamp=times[0],
        last_timestamp=times[1],
        min_key=least,
        max_key=greatest,
        keys=keys,
        view_bytes=view_bytes,
    )


def key_range(keys: pa.Array) -> tuple[str, str]:
    """The least and greatest key as text: decimal for int64, bounds of at most 64 characters for
    varchar; two empty texts when there are no keys. An empty upper bound means: none."""
    if len(keys) == 0:
        return "", ""
    ends = pc.min_max(keys)
    least, greatest = ends["min"].as_py(), ends["max"].as_py()
    if isinstance(least, int):
        return str(least), str(greatest)
    return least[:KEY_BOUND_CHARACTERS], _upper_bound(greatest)


def _upper_bound(text: str) -> str:
    """The text, or a short one above all that begin with its first characters."""
    if len(text) <= KEY_BOUND_CHARACTERS:
        return text
    head = text[:KEY_BOUND_CHARACTERS]
    while head and ord(head[-1]) == _LAST_CODE_POINT:
        head = head[:-1]
    if not head:
        return ""
    point = ord(head[-1]) + 1
    return head[:-1] + chr(0xE000 if point == 0xD800 else point)  # surrogates are no characters
