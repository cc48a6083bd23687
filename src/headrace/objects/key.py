"""Which texts are keys of objects, on every store.

A key is also a path below a directory, so it can never lead out of it and never has two spellings;
names that begin with a dot are the store's own.
"""

import re

from headrace.model.errors import Invalid

KEY_CHARACTERS_MAX = 512  # S3 takes 1024 bytes, the store's prefix included
_NAME = r"[A-Za-z0-9_=@$+:-][A-Za-z0-9._=@$+:-]*"
_KEY = re.compile(f"{_NAME}(?:/{_NAME})*")


def is_key(text: str) -> bool:
    """Whether it is `/`-separated names of plain ASCII, none of them empty or with a dot at its
    start, at most 512 characters together."""
    return len(text) <= KEY_CHARACTERS_MAX and _KEY.fullmatch(text) is not None


def check_key(key: str) -> None:
    """`Invalid` unless it is a key."""
    if not is_key(key):
        raise Invalid(f"{key!r:.200} is not an object key", field="key")
