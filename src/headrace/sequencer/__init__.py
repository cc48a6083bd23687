"""The one appender of a pchannel: order, timestamps, segments of rows, seals, ids of requests.

What it does is decided by a synchronous machine for each pchannel (`machine`); `shell` carries the
decisions out; `service` is the part of the proxy process. The machine is made of

- `failover/`: from the assignment to the open term (`attempt`; `reading` does what it reads);
- `term`: the open term, which holds the following together and sends (`pump`);
- `requests/`: `admission` lets parts in, by `window` (ids that stand) and `versions`; `queue` has
  those that wait; `control_entries` has the DDL and Seals that services ask for; `digests` says
  when ids are written into the log;
- `append/`: `grouping` builds the next message, Seals and ticks included, from `segments` (which
  rows go where, which Seals are due), `grants` (timestamps, by `grant_client`) and `leases` (ids of
  rows and segments); `flight` is the message on its way.
"""
