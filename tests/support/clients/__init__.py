"""Clients of the front door: which there are, what they write, and what they are answered."""
