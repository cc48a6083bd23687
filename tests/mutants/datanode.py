"""Builds of the data node without one rule."""

from mutants.edits import Edit, Mutant

MUTANTS = (
    Mutant(
        rule="an epoch starts once",
        edits=(
            Edit(
                "datanode.machine",
                "if running is not None and running.epoch == watch.epoch:",
                "if watch.epoch < 0:",
            ),
            Edit(
                "datanode.machine",
                "if watch.epoch <= self._highest.get(watch.vchannel, -1):",
                "if watch.epoch < 0:",
            ),
            # Else the object key that is taken shows it first.
            Edit("datanode.persist.put", "if not same_bytes(item.parts, found):", "if not found:"),
        ),
        killed_by=("DL-1", "OB-1", "SG-2"),
    ),
)
