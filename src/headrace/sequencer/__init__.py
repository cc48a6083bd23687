"""The one appender of a pchannel: order, timestamps, segments of rows, seals, ids of requests.

What it does is decided by a synchronous machine for each pchannel (`machine`), which is made of
`failover` (from the assignment to the open term) and `term` (the open term: `queue`, `window`,
`versions`, `segments`, `grants`, `flight`); `shell` carries the decisions out; `service` is the
part of the proxy process.
"""
