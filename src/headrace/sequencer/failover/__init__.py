"""From an assignment in etcd to the open term.

The candidate appends its TermStart, and reads what it needs only once that stands.
"""
