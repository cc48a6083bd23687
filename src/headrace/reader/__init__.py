"""A snapshot of a collection as Arrow, with deletes applied."""
