"""Columns of a file as columns of a collection."""
