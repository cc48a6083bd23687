"""A process that keeps its pages does not get new ones for each request."""

import subprocess
import sys

import pytest

_SCRIPT = """
import resource
import sys
from headrace.app.process.memory import keep_pages
if sys.argv[1] == "kept":
    keep_pages()
def requests(count):
    for _ in range(count):
        held = [bytearray(b"x") * 3_000_000 for _ in range(4)]
        del held
requests(2)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
requests(20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
_PAGES = 20 * 4 * 3_000_000 // 4096


@pytest.mark.parametrize("kept", [True, False])
def test_pages_of_large_requests_are_touched_once_only_where_they_are_kept(kept: bool) -> None:
    name = "kept" if kept else "given back"
    done = subprocess.run([sys.executable, "-c", _SCRIPT, name], capture_output=True, text=True)
    assert done.stderr == ""
    faults = int(done.stdout)
    assert faults < _PAGES / 20 if kept else faults > _PAGES / 4
