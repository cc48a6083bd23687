"""Suggests where a store may be when a user names a place beside it.

It looks above, for a user who named a folder of the store, and into the directory below, for one
who named a cluster's data directory. The result is only told, never used.
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow.fs as pafs

from headrace.binlog import paths
from headrace.model.errors import HeadraceError
from headrace.objects.arrow_files import file_system, local_root
from headrace.objects.s3_access import S3Access

LEVELS_UP = 5
LOOKED_AT_MOST = 200  # directories below
BUCKET = "s3://"


def suggest_store(store: str | Path, access: S3Access | None) -> str:
    """The store above or below this place, as it is to be named; "" when none is seen."""
    for candidate in _candidates(str(store)):
        try:
            if _is_store(file_system(candidate, access)):
                return candidate
        except (HeadraceError, OSError):
            continue  # what can not be read is no help
    return ""


def _candidates(store: str) -> Iterator[str]:
    if store.startswith(BUCKET):
        parts = store.removeprefix(BUCKET).strip("/").split("/")
        for count in range(len(parts) - 1, 0, -1)[:LEVELS_UP]:
            yield BUCKET + "/".join(parts[:count])
        return
    root = local_root(store)
    yield from map(str, list(root.parents)[:LEVELS_UP])
    below = sorted(path for path in root.glob("*/") if path.is_dir())
    further = [path for one in below for path in sorted(one.glob("*/")) if path.is_dir()]
    yield from map(str, [*below, *further][:LOOKED_AT_MOST])


def _is_store(files: pafs.FileSystem) -> bool:
    selector = pafs.FileSelector(paths.NAMES_PREFIX.rstrip("/"), allow_not_found=True)
    return any(found.path.endswith(".json") for found in files.get_file_info(selector))
