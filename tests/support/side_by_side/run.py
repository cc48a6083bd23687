"""`python -m support.side_by_side.run ARGS`: pytest in two processes, with one last line.

The first process writes to the terminal while it runs; what the other wrote stands behind it. The
second has a lower priority, so that a cluster of the first gets the processor when it wants it.
The exit status is 0 only if both processes passed.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PLUGIN = "support.side_by_side.share"
NICE = 10


def main(arguments: list[str]) -> int:
    """Run, print, tell how it ended."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="headrace-tests-") as name:
        place = Path(name)
        (place / "taken").write_text("")
        other = place / "second.txt"
        with other.open("w") as out:
            second = _start(place, "second", arguments, stdout=out, stderr=subprocess.STDOUT)
            first = _start(place, "first", [*arguments, "--share-first"])
            try:
                statuses = [first.wait(), second.wait()]
            except KeyboardInterrupt:  # both had it too, and end their clusters
                statuses = [first.wait(), second.wait()]
        print(f"\n== the second process\n{other.read_text()}")
        return _told(place, statuses, time.perf_counter() - began)


def _start(place: Path, name: str, arguments: list[str], **streams: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "pytest", "-p", PLUGIN, "-o", "console_output_style=classic"]
    options = [f"--share-taken={place / 'taken'}", f"--share-told={place / name}"]
    nice = ["nice", "-n", str(NICE)] if name == "second" else []
    here = Path(__file__).resolve().parents[2]
    paths = [str(here), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        [*nice, *command, *options, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        **streams,
    )


def _told(place: Path, statuses: list[int], seconds: float) -> int:
    totals = {"failed": 0, "passed": 0, "error": 0}
    for name in ("first", "second"):
        if (place / name).exists():
            counts = json.loads((place / name).read_text())
            totals = {word: totals[word] + counts[word] for word in totals}
    words = ", ".join(f"{n} {word}" for word, n in totals.items() if n)
    print(f"{words or 'no tests ran'} in {seconds:.2f}s (both processes)")
    return next((status for status in statuses if status), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
