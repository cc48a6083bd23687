"""The master service: timestamps, ids, collections and their DDL, and who sequences which pchannel.

What it does is decided by a synchronous machine (`machine`), which is made of `timestamps`, `ids`,
`sequencers`, `ddl` and `names`; `shell` carries the decisions out; `service` is the process.
"""
