"""Made-up schemas, rows, columns and messages."""
