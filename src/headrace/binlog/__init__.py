"""File formats and Arrow <-> bytes, pure: insert, delta and stats logs, snapshot lists."""
