"""A snapshot of a collection as Arrow, with deletes applied.

    import headrace.reader
    snapshot = headrace.reader.open("file:///data/objects", "docs")
    table = snapshot.to_table(columns=["id", "text"])

Needs the bucket only: no process of a cluster has to run.
"""

from headrace.reader.snapshot import Snapshot, open  # noqa: A004 - as in `headrace.reader.open`

__all__ = ["Snapshot", "open"]
