"""Builds of the data node, and of a reader, without one rule."""

from mutants.edits import Edit, Mutant

BUFFERS = "datanode.growing.buffers"
ENCODE = "datanode.pack.encode"
MACHINE = "datanode.machine"
CHANCE = "scenes.parts:datanodes"
WHY = (
    "the rule acts inside one flowgraph, so production's machines and a data service reduced to "
    "what it compares are enough, and each commit is checked as the model checks it"
)

MUTANTS = (
    Mutant(
        rule="objects are stored before they are reported",
        edits=(
            Edit(
                "datanode.persist.order",
                "first.stage is Stage.STORED else",
                "first.stage is not Stage.ENCODING else",
            ),
        ),
        killed_by="OB-1",
        scene=CHANCE,
        why=WHY,
    ),
    Mutant(
        rule="keys name the epoch",
        edits=(Edit(ENCODE, "part.segment_id, pack.key.epoch, part", "part.segment_id, 1, part"),),
        killed_by=("OB-1", "LIVE"),
    ),
    Mutant(
        rule="keys name a number",
        edits=(Edit(ENCODE, "pack.key.epoch, part.number", "pack.key.epoch, 1"),),
        killed_by="OB-1",
    ),
    Mutant(
        rule="rows at or below the segment's checkpoint are dropped",
        edits=(
            Edit(
                "datanode.consume.replay_filter",
                "entry.timestamp > stored.get(r.segment_id, 0)",
                "stored is not None",
            ),
        ),
        killed_by=("DL-1", "SG-1", "SG-2"),
        scene=CHANCE,
        why=WHY,
    ),
    Mutant(
        rule="the checkpoint waits for rows",
        edits=(Edit(BUFFERS, "yield segment.slices[0].position\n", "pass\n"),),
        killed_by="CP-2",
        scene=CHANCE,
        why=WHY,
    ),
    Mutant(
        rule="the checkpoint waits for deletes",
        edits=(Edit(BUFFERS, "yield deletes.position\n", "pass\n"),),
        killed_by="CP-2",
        scene=CHANCE,
        why=WHY,
    ),
    Mutant(
        rule="the checkpoint waits for a Seal's flush",
        edits=(Edit(BUFFERS, "yield segment.sealed\n", "pass\n"),),
        killed_by="CP-2",
        scene="scenes.data_node:seal_while_full",
        why="one Seal that comes while nothing may be cut is all that it takes",
    ),
    Mutant(
        rule="a flush waits for the Seal",
        edits=(
            Edit(
                "datanode.growing.cut",
                "sealed=segment.sealed,",
                "sealed=segment.sealed or position,",
            ),
        ),
        killed_by=("SG-1", "SG-2"),
        scene=CHANCE,
        why=WHY,
    ),
    Mutant(
        rule="an epoch starts once",
        edits=(
            Edit(
                MACHINE,
                "if running is not None and running.epoch == watch.epoch:",
                "if watch.epoch < 0:",
            ),
            Edit(
                MACHINE,
                "if watch.epoch <= self._highest.get(watch.vchannel, -1):",
                "if watch.epoch < 0:",
            ),
            Edit(  # Else the sum of memory, which a bare assertion keeps, shows it first.
                "datanode.budget", "assert pack not in self._writing, pack", "pass"
            ),
        ),
        killed_by=("DL-1", "OB-1", "SG-1", "SG-2", "CP-2"),
        scene="scenes.data_node:watch_twice",
        why="one watch that comes twice is all that it takes",
    ),
    Mutant(
        rule="a delete hides strictly older rows",
        edits=(
            Edit(
                "reader.deletes",
                "(timestamps < self.timestamps[places])",
                "(timestamps <= self.timestamps[places])",
            ),
        ),
        killed_by="DL-2",
        scene="scenes.parts:upsert",
        why="the rule is one comparison of the reader, and one upsert shows it",
    ),
)
