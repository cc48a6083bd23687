"""How the command ends: its status and words are out, whatever threads still run."""

import subprocess
import sys

import pytest

ENDING = """
import sys, threading
from headrace.cli import main
from headrace.model.errors import {error}

def ended():
    threading.Thread(target=threading.Event().wait).start()  # Python's own end would wait for it
    print("said")
    {ending}

main.app = ended
main.main()
"""


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("return", 0),
        ("sys.exit(7)", 7),
        ("raise Invalid('wrong')", 2),
        ("raise Unavailable('away')", 1),
        ("raise KeyboardInterrupt", 130),
    ],
)
def test_the_process_ends_with_what_it_said_and_waits_for_no_thread(
    ending: str, status: int
) -> None:
    error = "Unavailable" if "Unavailable" in ending else "Invalid"
    program = ENDING.format(error=error, ending=ending)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (status, "said\n")
    assert "Traceback" not in done.stderr
