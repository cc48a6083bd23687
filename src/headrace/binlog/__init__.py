"""The file formats, Arrow to bytes and back: pure functions without I/O, clock or randomness."""
