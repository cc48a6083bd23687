"""Builds of the data node without one rule."""

from mutants.edits import Edit, Mutant

MUTANTS = (
    Mutant(
        rule="an epoch starts once",
        edits=(
            Edit(
                "datanode.watches",
                "if epoch == running:\n            return Verdict.RUNS",
                "if epoch:\n            return Verdict.STARTS",
            ),
            # Else the object key that is taken shows it first.
            Edit("datanode.shell", "if not is_ours(found, item.parts):", "if not found:"),
        ),
        killed_by=("DL-1", "OB-1", "SG-2"),
    ),
)
