"""Builds of the sequencer without one rule of requests, of their ids, or of DDL."""

from mutants.edits import Edit, Mutant
from mutants.sequencer import ATTEMPT, CHANCE, TERM, WHY

ADMISSION = "sequencer.requests.admission"
VERSIONS = "sequencer.requests.versions"

MUTANTS = (
    Mutant(
        rule="a new sequencer reads the window",
        edits=(
            Edit(
                ATTEMPT,
                "return [self._read_window(0.0)]  #",
                "return self.window_read(ev.Past((), (), 0, 0, self.term_start - 1, 0, 0))  #",
            ),
        ),
        killed_by="RQ-1",
        scene=CHANCE,
        why=WHY,
    ),
    Mutant(
        rule="a repeat waits for the first",
        edits=(
            Edit(
                ADMISSION,
                "self._queue.join(part, call, deadline)  #",
                "if part.state.value == 'flying':\n"
                "                return [Answer(call, AppendResponse(outcome='done'))]\n"
                "            self._queue.join(part, call, deadline)  #",
            ),
        ),
        killed_by="DL-1",
        scene=CHANCE,
        why=WHY,
    ),
    Mutant(
        rule="below the window's floor: unknown",
        edits=(
            Edit(
                ADMISSION,
                "if request.first_sent <= self._window.floor(request.keyed):",
                "if False:",
            ),
        ),
        killed_by="RQ-1",
        scene=CHANCE,
        why=WHY,
    ),
    Mutant(
        rule="an id is forgotten by when it was first sent",
        edits=(
            Edit(
                TERM,
                "self.window.add(item)\n            for call",
                "import dataclasses\n"
                "            at = entry.timestamp\n"
                "            self.window.add(dataclasses.replace(item, first_sent=at))\n"
                "            for call",
            ),
        ),
        killed_by="RQ-1",
        scene="scenes.sequencer:sent_ahead_of_its_timestamp",
        why="one part above its timestamp, and a window that moves on, are all that it takes",
    ),
    Mutant(
        rule="ids are looked up before versions",
        edits=(
            Edit(
                ADMISSION,
                "known = self._known(call, request, deadline, now)",
                "if self._versions.judge(request) is VersionVerdict.STALE:\n"
                "            return [Answer(call, self._stale(request))]\n"
                "        known = self._known(call, request, deadline, now)",
            ),
        ),
        killed_by="RQ-1",
        scene=CHANCE,
        why=WHY,
    ),
    Mutant(
        rule="what is recorded is appended first",
        edits=(Edit("sequencer.requests.control_entries", "in found.values():", "in ():"),),
        killed_by=("SC-1", "RQ-1", "DL-1", "LIVE"),
        scene=CHANCE,
        why=WHY,
    ),
    Mutant(
        rule="a DDL noted above its TermStart: replaced",
        edits=(
            Edit(
                ATTEMPT,
                "if any(p is not None and p.message_id > self.term_start for p in noted):",
                "if False:",
            ),
        ),
        killed_by=("RQ-1", "SC-1"),
        scene="scenes.sequencer:noted_above",
        why="one TermStart that learns late that it stands is all that it takes",
    ),
    Mutant(
        rule="rows of another version are refused",
        edits=(Edit(VERSIONS, "if request.version < present.version:", "if False:"),),
        killed_by="SC-1",
        scene=CHANCE,
        why=WHY,
    ),
    Mutant(
        rule="a refusal waits until the DDL stands",
        edits=(
            Edit(VERSIONS, "if present.raising > 0:", "if False:"),
            Edit(
                VERSIONS,
                "if request.version < present.version:",
                "if request.version < max(present.version, present.raising):",
            ),
        ),
        killed_by="RQ-1",
        scene="scenes.sequencer:ddl_that_never_stands",
        why="one DDL of a process that was replaced is all that it takes",
    ),
    Mutant(
        rule="a DDL is noted when it stands",
        edits=(
            Edit(
                TERM,
                "return [*effects, self._send(GROUP, built, timestamps, now)]",
                "sending = self._send(GROUP, built, timestamps, now)\n"
                "        from headrace.rpc.messages import AppendDdlResponse, VChannelPosition\n"
                "        at = sending.expected_last + 1\n"
                "        for order, entries in built.ddls:\n"
                "            places = [VChannelPosition(e.vchannel, Position(\n"
                "                self._pchannel, at, e.timestamp)) for e in entries]\n"
                "            effects += [Answer(c, AppendDdlResponse(tuple(places)))\n"
                "                        for c in order.calls]\n"
                "            order.calls.clear()\n"
                "        return [*effects, sending]",
            ),
        ),
        killed_by="DD-1",
        scene=CHANCE,
        why=WHY,
    ),
)
