"""Stage 6, report: syncs and checkpoints go to the data service, in order, until answered."""
