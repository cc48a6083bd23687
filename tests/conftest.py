"""How hypothesis, and gRPC's event loop, run here.

gRPC ends its poller when the last of its objects is collected, and waits for that thread: in a test
that has nothing to do with it, and for ever if a call of a loop that was closed is still under way.
One more reference keeps the poller until the process ends.

A busy machine is no failure: neither a case's time nor that of making cases is judged. What a
search found is kept nowhere, so a run depends on the tree alone; a failure prints what repeats it.

What stands when all tests are collected (modules, syntax trees of the repo) stands to the end: the
garbage collector need not look at it again and again.
"""

import gc

import grpc.aio
import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "headrace", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("headrace")
grpc.aio.init_grpc_aio()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Take what was collected out of the garbage collector's sight."""
    gc.collect()
    gc.freeze()
