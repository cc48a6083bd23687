"""The nouns of the system: values without I/O, clock or randomness, used by every layer above."""
