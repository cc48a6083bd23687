"""Worlds run by chance around one machine: a seed gives one run, and every run is checked."""
