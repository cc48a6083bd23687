"""Timestamps and ids: ranges below a mark that is stored first."""
