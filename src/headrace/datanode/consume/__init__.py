"""Stage 1, consume: read each pchannel once, deal its entries out, drop what is stored already.

`reading` gives each reader credit, which is bytes of the node's budget, before `fetch` reads;
`continuity` checks that messages follow each other, `demux` deals them out to flowgraphs, and
`replay_filter` drops what a segment has.
"""
