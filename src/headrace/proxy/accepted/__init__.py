"""What clients set and read back, though nothing is built for it: indexes, loads, properties."""
