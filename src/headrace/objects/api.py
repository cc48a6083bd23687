"""The port of the object store.

The contract, which every adapter passes (`tests/conformance/test_objects.py`): An object is never
seen half written; `put` returns when it is durable; a key that exists is never overwritten (`put`
is if-absent). Keys are `/`-separated, without leading slash, without `.` or `..` parts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from headrace.model.entry import Body


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """A listed object."""

    key: str
    size_bytes: int
    modified_ms: int  # wall clock of the store


class ObjectStore(Protocol):
    """Every call may raise `Unavailable`; wrong credentials and the like are `Invalid`."""

    @property
    def uri(self) -> str:
        """Where it is: `file:///...`, `s3://bucket/prefix`, `memory://name`."""

    async def check(self) -> None:
        """Prove at start that the store can be written and read; `Invalid` says what is wrong."""

    async def put(self, key: str, parts: Sequence[Body]) -> None:
        """Store the parts, joined, under an absent key; `Conflict` when the key exists."""

    async def get(self, key: str) -> bytes:
        """The whole object; `NotFound` when absent."""

    async def get_range(self, key: str, start: int, length: int) -> bytes:
        """`length` bytes from `start` (a negative start counts from the end)."""

    async def list(self, prefix: str, *, after: str = "") -> Sequence[ObjectInfo]:
        """All objects whose keys begin with `prefix` and come after `after`, in key order."""

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove; absent keys are no error."""

    async def free_bytes(self) -> int | None:
        """Free space where that means something (a disk), else None."""

    async def close(self) -> None:
        """Give all connections back."""
