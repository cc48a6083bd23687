"""Manifests: which files make up a collection, when they are derived and stored."""
