"""Two pytest processes over the same tests: one with real processes in turn, one that computes."""
