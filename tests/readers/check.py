"""`make readers`: Spark and DataFusion read the files of every type, bit by bit.

**Owns** the course: a cluster writes every type, is stopped, and each tool reads its files in an
environment of its own. **Does not own** these tools' calls (`read_files`) or the table of types
(`support.values.type_table`). It is apart from `make test` because Spark and its Java are 0.9 GB
that nobody else needs.

    check.py PYTHON    the interpreter of the tools' environment
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
from support.processes.cluster import Cluster
from support.values.type_cases import TABLE, Case, Client, all_cases, write_all
from support.values.type_table import differences

import headrace.reader
from headrace.reader.snapshot import Snapshot

TOOLS = ("datafusion", "spark")
CASES = ("milvus_client_INT64", "milvus_client_VARCHAR_dynamic")


def written(directory: Path) -> list[Case]:
    """A stopped cluster's files, and what is in them."""
    cases = [case for case in all_cases() if case.name in CASES]
    cluster = Cluster(directory / "data").start()
    try:
        cluster.wait_until_whole()
        client = Client(cluster.uri())
        write_all(cluster, client, cases)
        client.close()
    finally:
        cluster.stop()
    return cases


def troubles(snapshot: Snapshot, case: Case, store: Path, python: str, tool: str) -> str:
    """What a tool sees otherwise than it was written; "" = nothing."""
    target = store.parent / f"{tool}-{case.name}"
    files = [str(store / file.ref.key) for file in snapshot.files]
    reading = Path(__file__).with_name("read_files.py")
    done = subprocess.run(
        [python, str(reading), tool, str(target), *files], capture_output=True, text=True
    )
    if done.returncode:
        return f"it ends with {done.returncode}:\n{done.stderr[-3000:]}"
    found = pq.read_table(target)
    shown = snapshot.to_table(["_row_id"])["_row_id"].combine_chunks()
    found = found.filter(pc.is_in(found["_row_id"], shown))
    wrong = differences(found, TABLE, case.ordered())
    if not wrong and found.sort_by("number")["id"].to_pylist() != case.ordered_keys():
        wrong = "id"
    return wrong


def main(python: str) -> int:
    """Says what every tool saw; 1 when one saw anything else than what was written."""
    failed = False
    with tempfile.TemporaryDirectory() as directory:
        cases = written(Path(directory))
        store = Path(directory) / "data" / "store"
        for tool in TOOLS:
            for case in cases:
                snapshot = headrace.reader.open(store, case.name)
                wrong = troubles(snapshot, case, store, python, tool)
                failed |= bool(wrong)
                print(f"{tool} {case.name}: {wrong or f'{len(TABLE) + 1} columns, bit by bit'}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
