"""Stage 1: seek, decode, drop what a segment already has."""
