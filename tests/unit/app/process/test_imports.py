"""Pandas stays out of a role's process, and Arrow works without it."""

import subprocess
import sys

_SCRIPT = """
import sys
from headrace.app.process.imports import leave_out
leave_out()
leave_out()
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import headrace.app.wiring
from headrace.binlog.body import decode_rows, encode_rows
array = pa.array(np.arange(3))
batch = pa.RecordBatch.from_arrays([array, pa.array(["a", None, "c"])], names=["n", "t"])
assert decode_rows(encode_rows(batch)).equals(batch)
assert array.to_numpy().tolist() == [0, 1, 2]
assert len([f for f in sys.meta_path if type(f).__name__ == "_Refusing"]) == 1
print("pandas" in sys.modules)
"""


def test_a_process_that_leaves_pandas_out_makes_and_reads_arrow_arrays() -> None:
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.strip() == "False"
