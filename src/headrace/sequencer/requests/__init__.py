"""Requests before they enter a group.

Parts of clients' requests are admitted, queued and recognised when they are repeated; entries that
the master service and the data service ask for wait beside them.
"""
