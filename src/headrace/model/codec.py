"""Values as JSON, for what people may read in etcd and in the bucket.

Dataclasses by field name, enums by value, bytes as base64, defaults written out. Unknown fields are
ignored, so an older reader reads newer files.
"""

from typing import TypeVar

import msgspec

from headrace.model.errors import Corrupt

T = TypeVar("T")


def encode(value: object) -> bytes:
    """Compact JSON of a dataclass or builtin; the same value gives the same bytes."""
    return msgspec.json.encode(value)


def decode(data: bytes, kind: type[T], where: str = "") -> T:
    """The value of these bytes; `Corrupt` naming `where` (a key) when they are not one."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Corrupt(f"{where or 'a value'} is not a {kind.__name__}: {error}") from error
