"""Files into a collection through the front door: each row once, however often the ingest is
killed.

What `headrace ingest` does: `sources` read a file as Arrow, `columns` make its columns those of the
collection, `batches` cut them, `resume` writes each batch down before `client` sends it, and
`lookup` finds out from a snapshot what became of a batch that was sent too long ago. `upload` does
this for one source, `run` for all of them.
"""
