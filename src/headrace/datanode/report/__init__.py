"""Stage 6: binlog paths, segment and channel checkpoints."""
