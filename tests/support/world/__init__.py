"""The edges and the roles in memory: what stands around the one that a test is about."""
