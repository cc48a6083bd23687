"""Stage 4: frozen rows to files, statistics."""
