"""Builds of the data service without one rule of reports or of assignments."""

from mutants.edits import Edit, Mutant

DECISION = "dataservice.reports.decision"
COMMITTER = "dataservice.reports.committer"
WATCHES = "dataservice.placement.watches"

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
        rule="reports compare what they extend",
        edits=(
            Edit(DECISION, "present.position == report.channel_extends and not", "not"),
            Edit(DECISION, "checkpoint == s.extends and growing,", "growing,"),
            Edit(DECISION, "present == report.deletes.extends,", "True,"),
        ),
        killed_by="CP-1",
        scene="scenes.data_service:old_copy",
        why="one old copy of a report is all that it takes",
    ),
    Mutant(
        rule="present = new is done",
        edits=(Edit(DECISION, "if all(p.new for p in parts):", "if False:"),),
        killed_by="Conflict: p",
        scene="scenes.parts:lost_answer",
        why="what comes of it is one refusal of the report's own repeat, and an epoch that is lost",
    ),
    Mutant(
        rule="a report is one transaction with its reads",
        edits=(Edit(DECISION, "compare=tuple(distinct.values()),", "compare=(),"),),
        killed_by="CH-1",
        scene="scenes.data_service:late_commit",
        why="one transaction that arrives after the next epoch is all that it takes",
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
        rule="an epoch is written by compare-and-swap",
        edits=(
            Edit(
                "dataservice.placement.epochs",
                "[ModRevisionIs(key, order.revision)]",
                "[]",
            ),
        ),
        killed_by="CH-1",
        scene="scenes.parts:two_assignments",
        why="two orders of one leader, the first of them late, are all that it takes",
    ),
    Mutant(
        rule="the watch is read after its epoch is written",
        edits=(
            Edit(
                WATCHES,
                "revision = head.revision  #",
                "revision = max(1, head.first.mod_revision - 2)  #",
            ),
        ),
        killed_by="Conflict: p",
        scene="scenes.parts:stale_watch",
        why="one commit between the read and the epoch makes the next report a conflict",
    ),
    Mutant(
        rule="the watch names flushed segments above the seek position",
        edits=(
            Edit(
                WATCHES,
                "if growing or record.checkpoint.timestamp > seek.timestamp:",
                "if growing:",
            ),
        ),
        killed_by="DL-1",
        scene="scenes.data_service:flushed_above_the_seek",
        why="the filter of a replay shows with one entry what the watch did not say",
    ),
    Mutant(
        rule="the watch names every growing segment",
        edits=(
            Edit(
                WATCHES,
                "if growing or record.checkpoint.timestamp > seek.timestamp:",
                "if record.checkpoint.timestamp > seek.timestamp:",
            ),
        ),
        killed_by=("LIVE", "CP-2"),
    ),
    Mutant(
        rule="segments are dropped when the checkpoint passes the drop",
        edits=(
            Edit(
                "datanode.report.checkpoint",
                "for d in drops if checkpoint.passed(d.position.timestamp))",
                "for d in drops)",
            ),
        ),
        killed_by=("CP-2", "SN-1"),
        weather="partitions",
    ),
    Mutant(
        rule="a drop ends the epoch",
        edits=(Edit(DECISION, "epoch = Stored(epoch.key, 0, ended)", "pass"),),
        killed_by="LIVE",
        scene="scenes.parts:after_the_drop",
        why="what is missing is only that a file may go, which one decision of the collector shows",
    ),
)
