"""A node's report becomes one transaction: what it changes, and what became of it."""
