"""The port of the meta store: etcd's model, reduced to what the protocol needs.

The contract, which every adapter passes (`tests/conformance/test_meta.py`): Every successful
transaction that writes raises the store's revision by one; reads are linearizable unless a revision
is named. A transaction's outcome may be unknown (`Unavailable`): the caller reads what it compared.
Watches deliver every change after their revision, in order, once, grouped by revision.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from headrace.model.ids import Revision

MAX_OPERATIONS = 128  # of one transaction, etcd's default limit


@dataclass(frozen=True, slots=True)
class KeyValue:
    """A key as it stands. `version` counts its writes since it was made, from 1."""

    key: str
    value: bytes = field(repr=False)
    create_revision: Revision
    mod_revision: Revision
    version: int
    lease: int = 0


@dataclass(frozen=True, slots=True)
class RangeResult:
    """Keys in order, and the revision at which they were read (the one asked for, if any)."""

    items: tuple[KeyValue, ...]
    revision: Revision

    @property
    def first(self) -> KeyValue | None:
        """The only item of a read of one key, or None when it is absent."""
        return self.items[0] if self.items else None


@dataclass(frozen=True, slots=True)
class ModRevisionIs:
    """True if the key's mod revision is this; 0 = the key is absent."""

    key: str
    revision: Revision


@dataclass(frozen=True, slots=True)
class ValueIs:
    """True if the key is present and has this value."""

    key: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Put:
    """Write a value; lease 0 = none."""

    key: str
    value: bytes
    lease: int = 0


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a key, or with `prefix` all keys that begin with it."""

    key: str
    prefix: bool = False


Compare: TypeAlias = ModRevisionIs | ValueIs
Operation: TypeAlias = Put | Delete


@dataclass(frozen=True, slots=True)
class TxnResult:
    """Whether all comparisons held (and the operations were done), and the revision after it."""

    succeeded: bool
    revision: Revision


@dataclass(frozen=True, slots=True)
class PutEvent:
    """A key was written."""

    item: KeyValue

    @property
    def key(self) -> str:
        return self.item.key


@dataclass(frozen=True, slots=True)
class DeleteEvent:
    """A key went: removed, or its lease ended."""

    key: str
    mod_revision: Revision


@dataclass(frozen=True, slots=True)
class WatchBatch:
    """All changes of one revision that the watch covers."""

    revision: Revision
    events: tuple[PutEvent | DeleteEvent, ...]


class Compacted(Exception):
    """The revision asked for is gone: list again and watch from there."""

    def __init__(self, compact_revision: Revision) -> None:
        super().__init__(f"compacted up to revision {compact_revision}")
        self.compact_revision = compact_revision


def assert_allowed(compare: Sequence[Compare], operations: Sequence[Operation]) -> None:
    """Assert what a transaction must keep to on every adapter: its limits, and one operation a
    key."""
    assert len(compare) <= MAX_OPERATIONS, f"{len(compare)} comparisons in one transaction"
    assert len(operations) <= MAX_OPERATIONS, f"{len(operations)} operations in one transaction"
    keys = [operation.key for operation in operations]
    assert len(set(keys)) == len(keys), "two operations of one transaction on one key"
    prefixes = [o.key for o in operations if isinstance(o, Delete) and o.prefix]
    for prefix in prefixes:
        within = [key for key in keys if key.startswith(prefix)]
        assert len(within) == 1, f"a transaction removes all of {prefix} and touches a key in it"


class MetaStore(Protocol):
    """A consistent store of small values. Every call may raise `Unavailable`."""

    async def get(self, key: str, *, revision: Revision = 0) -> RangeResult:
        """One key (zero or one item); at a revision if one is named (`Compacted` if it is gone)."""
        ...

    async def range(self, prefix: str, *, revision: Revision = 0) -> RangeResult:
        """All keys that begin with the prefix, in order, all pages at one revision."""
        ...

    async def txn(self, compare: Sequence[Compare], operations: Sequence[Operation]) -> TxnResult:
        """Do all operations if all comparisons hold, else none; at most `MAX_OPERATIONS`.

        Two operations on one key, and more than the limit, are AssertionErrors (`assert_allowed`).
        `Unavailable`: the outcome is unknown. `Conflict`: a lease that is named has ended; nothing
        was done.
        """
        ...

    async def grant(self, ttl_s: int) -> int:
        """A new lease that ends `ttl_s` after its last keep-alive."""
        ...

    async def keep_alive(self, lease: int) -> int:
        """Renew once; the seconds it lasts from now, 0 when the lease has ended."""
        ...

    async def revoke(self, lease: int) -> None:
        """End a lease and remove its keys; no error if it has ended."""
        ...

    def watch(self, prefix: str, *, start: Revision) -> AsyncGenerator[WatchBatch, None]:
        """Changes from revision `start` on, for ever; resumes by itself after a disconnect.

        Close it (`contextlib.aclosing`) when it is left before its end.

        Raises `Compacted` when the changes asked for are gone.
        """
        ...

    async def close(self) -> None:
        """Give all connections back."""
        ...
