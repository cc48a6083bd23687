"""Keys of objects: which texts are keys, on every store.

**Owns** the rule and its refusal. **Does not own** which keys there are (`binlog.paths`).

A key is also a path below a directory, so it can never lead out of it and never has two spellings;
names that begin with a dot are the store's own.
"""

import re

from headrace.model.errors import Invalid

KEY_BYTES_MAX = 512  # S3 takes 1024 with the prefix
_NAME = r"[A-Za-z0-9_=@$+:-][A-Za-z0-9._=@$+:-]*"
_KEY = re.compile(f"{_NAME}(?:/{_NAME})*")


def check_key(key: str) -> None:
    """`Invalid` unless the key is `/`-separated names of plain ASCII, none of them empty or with a
    dot at its start, at most 512 characters."""
    if len(key) > KEY_BYTES_MAX:
        raise Invalid(f"object key of {len(key)} characters is too long", field="key")
    if _KEY.fullmatch(key) is None:
        raise Invalid(f"{key!r} is not an object key", field="key")
