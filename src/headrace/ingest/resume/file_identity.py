"""What a file looks like from outside, to notice that it is another than before.

**Owns** its size, time and digest of samples. **Does not own** what follows from a difference: then
the batches that were sent are compared with what the file has now (`course`).
"""

import hashlib
from pathlib import Path

from headrace.ingest.resume.journal import Stamp
from headrace.model.errors import Invalid

SAMPLES = 64
SAMPLE_BYTES = 1 << 16


def stamp_of(path: Path) -> Stamp:
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
    return Stamp(size=about.st_size, mtime_ns=about.st_mtime_ns, digest=digest.hexdigest())
