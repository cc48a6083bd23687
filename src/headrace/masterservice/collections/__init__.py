"""Collections and every change of them.

A DDL is recorded in etcd, appended to every vchannel of its collection, noted, and answered.
"""
