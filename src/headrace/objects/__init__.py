"""The object edge: immutable objects under keys, in a bucket or a directory."""
