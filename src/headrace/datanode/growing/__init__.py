"""Stage 3, growing: rows and deletes in memory, until a sync cuts them out."""
