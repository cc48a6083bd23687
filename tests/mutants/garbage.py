"""Builds of the data service without one rule of manifests, of garbage, or of the log's end."""

from mutants.edits import Edit, Mutant

GARBAGE = "dataservice.maintenance.garbage"

MUTANTS = (
    Mutant(
        rule="dropped meta stays until the checkpoint passed",
        edits=(
            Edit(
                "dataservice.maintenance.collector",
                "return checkpoint.dropped or checkpoint.position",
                "return True or checkpoint.position",
            ),
        ),
        killed_by="DL-1",
        scene="scenes.parts:dropped_meta",
        why="until compaction is built only drops make dropped segments, whose rows no replay "
        "stores; so one record is dropped by hand",
    ),
    Mutant(
        rule="files of dropped meta go whatever their epoch",
        edits=(
            Edit(
                GARBAGE,
                "return left is not None and self",
                "if parse_data_key(info.key).epoch >= min(self.epochs.values()):\n"
                "                return False\n"
                "            return left is not None and self",
            ),
        ),
        killed_by="LIVE",
        scene="scenes.parts:file_of_dropped_meta",
        why="what is missing is only that a file may go, which one decision of the collector shows",
    ),
    Mutant(
        rule="truncate stays below the checkpoint",
        edits=(
            Edit(
                "dataservice.maintenance.truncate",
                "max(record.truncation_mark, min((window, *pinned)))",
                "max(record.truncation_mark, window)",
            ),
        ),
        killed_by="DL-1",
        scene="scenes.parts:truncation",
        why="the rule is arithmetic over the record of one pchannel",
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
        scene="scenes.data_service:report_between_reads",
        why="one report and one epoch between the reads of one round are all that it takes",
    ),
    Mutant(
        rule="the collector spares the epoch",
        edits=(
            Edit(GARBAGE, "return old_enough and key.epoch < self", "return old_enough or self"),
        ),
        killed_by="OB-1",
        weather="eager collector",
    ),
    Mutant(
        rule="a file goes when a list without it is stored",
        edits=(
            Edit(GARBAGE, "if info.key in self.evidence.names:", "if False:"),
            Edit(
                GARBAGE,
                "return left is not None and self.evidence.revision >= left",
                "return True",
            ),
        ),
        killed_by="OB-1",
        weather="drops",
    ),
    Mutant(
        rule="that list was read after the file left meta",
        edits=(
            Edit(
                GARBAGE,
                "return left is not None and self.evidence.revision >= left",
                "return left is not None",
            ),
        ),
        killed_by="OB-1",
        scene="scenes.data_service:manifest_on_its_way",
        why="two manifests and one round of the collector are all that it takes",
    ),
    Mutant(
        rule="a list is read at one revision",
        edits=(
            Edit(
                "dataservice.state.channel_state",
                "bundles = await meta.range(keys.bundles_prefix(vchannel), revision=at)",
                "bundles = await meta.range(keys.bundles_prefix(vchannel), revision=at)\n"
                "    checkpoint = await meta.get(keys.checkpoint(vchannel))",
            ),
        ),
        killed_by="SN-1",
        scene="scenes.data_service:report_inside_a_read",
        why="one report inside the reads of one manifest is all that it takes",
    ),
    Mutant(
        rule="lists are named by revision, the highest counts",
        edits=(
            Edit(
                "dataservice.manifests.manifest",
                "key = paths.manifest_key(made.collection_id, made.revision)",
                "stored = await objects.list(paths.manifests_prefix(made.collection_id))\n"
                "    above = paths.parse_revision(stored[-1].key) + 1 if stored else 0\n"
                "    key = paths.manifest_key(made.collection_id, max(above, made.revision))",
            ),
        ),
        killed_by="OB-1",
        scene="scenes.data_service:frozen_leader",
        why="two manifests in the wrong order and one round of the collector are all that it takes",
    ),
)
