"""The journal of a machine: its last steps as values, as text, and replayed."""
