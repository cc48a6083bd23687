"""How the process of a proxy keeps the memory of large requests.

Requests of some megabytes come and go as C allocations (gRPC's, protobuf's, Python's bytes). By
default glibc gives such pages back at once, and the system zeroes new ones for the next request:
measured 0.55 of 2.8 CPU seconds a GB of a busy proxy. So pages stay, up to `KEPT_BYTES`.
"""

import ctypes
import sys

KEPT_BYTES = 128 * 1024 * 1024
LARGEST_BYTES = 32 * 1024 * 1024  # the most that glibc takes; larger ones are given back at once

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # glibc's <malloc.h>


def keep_pages() -> None:
    """Keep freed pages for what comes next, where the C library is glibc; elsewhere nothing."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGEST_BYTES)
        mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
