"""The master service: timestamps, ids, collections and their history, DDL, sequencers."""
