"""What an ingest keeps beside its source, so that a killed one goes on where it was.

The journal of what was sent and acknowledged, the identity of the source file, and rejected rows.
"""
