"""Stage 4, pack: the rows and deletes of a sync become files."""
