"""The front door: a Milvus gRPC service that checks rows and has them appended to the log.

`door` takes calls, `write` serves rows, `collections` the questions and changes about whole
collections, `accepted` what is stored only to be answered. `cluster` is what a proxy knows of the
other processes.
"""
