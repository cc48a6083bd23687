"""Headrace: the write path of a vector database."""
