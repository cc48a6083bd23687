"""Stage 2: DDL, seals, rows by segment."""
