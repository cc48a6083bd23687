"""Stage 5: parallel puts, reports in order."""
