"""Benchmarks: ratios measured in one run, medians printed beside what was to be reached."""
