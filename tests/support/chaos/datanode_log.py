"""A log of one vchannel, made by chance, as a sequencer would write it.

**Owns** which entries follow each other: a segment is opened by its first rows and takes none after
its Seal, its TermStart or its drop. **Does not own** how entries are made (`datanode_script`).
"""

import random

from support.players.datanode import PARTITION, Player

OTHER_PARTITION = 11


def write_by_chance(player: Player, chance: random.Random) -> None:
    """A TermStart, rows and deletes of two partitions, Seals, perhaps a drop, a TermStart."""
    player.append("term")
    open_segments: dict[int, int] = {}
    last = 0
    for _ in range(chance.randint(6, 14)):
        texts = []
        for _ in range(chance.randint(1, 3)):
            what = chance.choice(("rows", "rows", "upsert", "delete", "seal", "tick"))
            partition = chance.choice((PARTITION, PARTITION, OTHER_PARTITION))
            if what in ("rows", "upsert"):
                opens = partition not in open_segments
                if opens:
                    last += 1
                    open_segments[partition] = last
                words = f"{what} a {open_segments[partition]} {chance.randint(1, 4)}"
                words += " 1" if what == "upsert" else ""
                texts.append(f"{words} p{partition}{' opens' if opens else ''}")
            elif what == "seal" and open_segments:
                closed = chance.choice(sorted(open_segments))
                texts.append(f"seal a {open_segments.pop(closed)}")
            else:
                texts.append("delete a 1" if what == "delete" else "tick")
        player.append("; ".join(texts))
        if chance.random() < 0.1:
            player.append("term")
            open_segments.clear()
    ends = chance.random()
    if ends < 0.2:
        player.append("ddl a drop")
    elif ends < 0.4:
        player.append(f"ddl a drop-partition {OTHER_PARTITION}")
        player.append("delete a 1")
    player.append("term")
