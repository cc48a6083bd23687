"""Builds of the data service without one rule."""

from mutants.edits import Edit, Mutant

DECISION = "dataservice.reports.decision"
COMMITTER = "dataservice.reports.committer"

MUTANTS = (
    Mutant(
        rule="reports compare the epoch",
        edits=(
            Edit(
                DECISION,
                "return record.epoch == epoch and record.server_id == server_id and not",
                "return not",
            ),
        ),
        killed_by="CH-1",
    ),
    Mutant(
        rule="files and checkpoint in one transaction",
        edits=(
            Edit(
                COMMITTER,
                "revision = await self._meta.txn(commit.compare, commit.operations)",
                "first, rest = commit.operations[-1:], commit.operations[:-1]\n"
                "            revision = await self._meta.txn(commit.compare, first)\n"
                "            if revision is not None and rest:\n"
                "                revision = await self._meta.txn((), rest)",
            ),
        ),
        killed_by=("CP-2", "DL-1"),
    ),
    Mutant(
        rule="the watch names flushed segments above the seek position",
        edits=(
            Edit(
                "dataservice.placement.watches",
                "if growing or record.checkpoint.timestamp > seek.timestamp:",
                "if growing:",
            ),
        ),
        killed_by=("DL-1", "SG-1", "CP-2"),
    ),
    Mutant(
        rule="the collector reads the epoch first",
        edits=(
            Edit(
                "dataservice.maintenance.collector",
                "epochs = await self._channels(vchannels)  # OB-1: the collector reads the epochs "
                "first,\n        channels = await self._channels(vchannels)",
                "channels = await self._channels(vchannels)\n"
                "        epochs = await self._channels(vchannels)",
            ),
        ),
        killed_by="OB-1",
        weather="eager collector",
    ),
)
