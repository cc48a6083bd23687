"""Rounds of upkeep: bundles, drops, garbage, and truncation of the log."""
