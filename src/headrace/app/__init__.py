"""Wiring: settings, adapters, processes, the standalone supervisor."""
