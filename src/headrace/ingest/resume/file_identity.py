"""A file's size, time and digest of samples, to notice that it has changed since.

If it has, the batches that were sent are compared with what the file has now (`upload`).
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from headrace.model.errors import Invalid

SAMPLES = 64
SAMPLE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class FileIdentity:
    """What a source looks like from outside; all zero for what is no file."""

    size: int = 0
    mtime_ns: int = 0
    digest: str = ""


def identity_of(path: Path) -> FileIdentity:
    """Of a file now; reads some 4 MB of it. `Invalid` when it can not be read."""
    try:
        with path.open("rb") as file:
            about = path.stat()
            digest = hashlib.blake2b(digest_size=16)
            last = max(0, about.st_size - SAMPLE_BYTES)
            for number in range(SAMPLES + 1):
                file.seek(last * number // SAMPLES)
                digest.update(file.read(SAMPLE_BYTES))
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}") from error
    return FileIdentity(size=about.st_size, mtime_ns=about.st_mtime_ns, digest=digest.hexdigest())
