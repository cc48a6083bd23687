"""The data node: one flowgraph per watched vchannel, from the log to segment files to reports."""
