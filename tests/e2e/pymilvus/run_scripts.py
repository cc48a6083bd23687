"""Runs scripts one after the other in this interpreter: `run_scripts.py URI OUT SCRIPT...`.

It needs nothing but pymilvus, so that every version of it can run this. A script that comes to its
end without an exception has passed; what it leaves in `stored` (collection -> rows that the files
must hold) goes to the test through `OUT/NAME.pickle`.
"""

import contextlib
import io
import logging
import pickle
import runpy
import sys
import time
import traceback
import warnings
from pathlib import Path


def run(path: Path, uri: str) -> dict[str, object]:
    """How a script went: its error ("" = none), what it printed, what it stored, its seconds."""
    printed = io.StringIO()
    error = ""
    stored: object = {}
    began = time.perf_counter()
    sys.argv = [str(path), uri]
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            stored = runpy.run_path(str(path), run_name="__main__").get("stored", {})
        except Exception:  # noqa: BLE001 - told in the result
            error = traceback.format_exc()
    seconds = time.perf_counter() - began
    return {"error": error, "printed": printed.getvalue(), "stored": stored, "seconds": seconds}


def main() -> None:
    """Each result is there whole as soon as its script has ended."""
    uri, out, *scripts = sys.argv[1:]
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # it logs each error that it raises
    warnings.simplefilter("ignore")
    for script in scripts:
        path = Path(script)
        result = Path(out) / f"{path.stem}.pickle"
        unfinished = result.with_suffix(".new")
        unfinished.write_bytes(pickle.dumps(run(path, uri)))
        unfinished.replace(result)


if __name__ == "__main__":
    main()
