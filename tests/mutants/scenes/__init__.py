"""Focused scenes: what needs none of the simulator to notice that a rule is missing."""
