"""What clients set and read back, though nothing is built for it: indexes and loads.

`client_state` stores it; properties use it too (`collections.properties`).
"""
