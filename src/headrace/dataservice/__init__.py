"""The data service: who watches what, segments, checkpoints, snapshots, balance, garbage."""
