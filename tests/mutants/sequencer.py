"""Builds of the sequencer without one rule of the log, of terms or of timestamps."""

from mutants.edits import Edit, Mutant

TERM = "sequencer.term"
ATTEMPT = "sequencer.failover.attempt"
GRANTS = "sequencer.append.grants"
MACHINE = "sequencer.machine"
SHELL = "sequencer.shell"
CHANCE = "scenes.parts:sequencers"
WHY = (
    "the rule acts inside one pchannel, so three of production's machines and a log that checks "
    "each message are enough, and hundreds of histories take seconds"
)

MUTANTS = (
    Mutant(
        rule="an append names the last id",
        edits=(
            Edit(
                SHELL,
                "await self._log.append(self._pchannel, effect.parts, effect.expected_last)",
                "await self._log.append(self._pchannel, effect.parts,\n"
                "                await self._log.last(self._pchannel))",
            ),
        ),
        killed_by="SQ-1",
    ),
    Mutant(
        rule="TermStart names the last id",
        edits=(
            Edit(
                SHELL,
                "await self._log.append(self._pchannel, effect.parts, effect.expected_last)",
                "await self._log.append(self._pchannel, effect.parts, effect.expected_last\n"
                "                if effect.what != 'term-start'\n"
                "                else await self._log.last(self._pchannel))",
            ),
        ),
        killed_by="TT-1",
        scene="scenes.sequencer:late_term_start",
        why="one row between a read of the end and a TermStart is all that it takes",
    ),
    Mutant(
        rule="a term is the id of its TermStart",
        edits=(Edit(ATTEMPT, "term=self.term_start,", "term=1,"),),
        killed_by="SQ-1",
        scene=CHANCE,
        why=WHY,
    ),
    Mutant(
        rule="one append in flight",
        edits=(
            Edit(
                TERM,
                "if not self._draining:\n                effects",
                "if True:\n                pass\n"
                "        sent, ready = self._sent, next(self.queue.ready(), None)\n"
                "        second = ready and sent and sent.expected_last == self.known\n"
                "        if not self._draining:\n"
                "            if sent is None or second:\n                effects",
            ),
            Edit(
                TERM,
                "expected_last=self.known,",
                "expected_last=self._sent.message_id if self._sent else self.known,",
            ),
        ),
        killed_by=("SQ-1", "TT-1"),
        scene="scenes.sequencer:two_in_flight",
        why="two parts and one TermStart are all that it takes",
    ),
    Mutant(
        rule="repeated byte for byte",
        edits=(Edit(SHELL, "ours = same_bytes(effect.parts, message.data)", "ours = True"),),
        killed_by=("DL-1", "SQ-1"),
        scene="scenes.sequencer:another_in_its_place",
        why="one look at a message of another process is all that it takes",
    ),
    Mutant(
        rule="absence is no outcome",
        edits=(
            Edit(
                TERM,
                "return [sent.again(self._settings)]",
                "self._sent = None\n"
                "        from headrace.sequencer.requests.admission import refused\n"
                "        gone = refused('it was not found')\n"
                "        parts = [part for part, _ in sent.built.parts]\n"
                "        return [e for part in parts for e in self._admission.end(part, gone)]",
            ),
        ),
        killed_by=("RQ-1", "SQ-1"),
        scene=CHANCE,
        why=WHY,
    ),
    Mutant(
        rule="acknowledged when it stands",
        edits=(
            Edit(
                TERM,
                "return [*effects, self._send(GROUP, built, timestamps, now)]",
                "sending = self._send(GROUP, built, timestamps, now)\n"
                "        number = sending.expected_last + 1\n"
                "        for part, entry in built.parts:\n"
                "            effects.append(Answer(part.first_call, _done(entry, number)))\n"
                "        return [*effects, sending]",
            ),
            Edit(TERM, "else:  # DL-1: acknowledged when it stands", "elif False:"),
        ),
        killed_by="DL-1",
        scene=CHANCE,
        why=WHY,
    ),
    Mutant(
        rule="etcd is read after TermStart",
        edits=(
            Edit(
                ATTEMPT,
                '"""Become a candidate, after a pause."""\n        return [ReadEnd(',
                "self._early = None\n        return [ReadMeta(",
            ),
            Edit(
                ATTEMPT,
                "assert self.step is AttemptStep.STANDING, self.step\n        if view",
                "if self.step is AttemptStep.CANDIDATE:\n"
                "            self._early = view\n"
                "            return [ReadEnd(self.attempt, 0.0)]\n"
                "        if view",
            ),
            Edit(
                ATTEMPT,
                "return [ReadMeta(self.attempt, 0.0)]  #",
                "return self.meta_read(self._early)  #",
            ),
            Edit(
                ATTEMPT,
                "case AttemptStep.CANDIDATE:\n                return [ReadEnd(",
                "case AttemptStep.CANDIDATE:\n"
                "                return [(ReadEnd if self._early else ReadMeta)(",
            ),
        ),
        killed_by=("SC-1", "RQ-1"),
        scene="scenes.sequencer:ddl_before_the_term",
        why="one DDL before one TermStart is all that it takes",
    ),
    Mutant(
        rule="etcd is read linearizably",
        edits=(
            Edit(
                "sequencer.failover.reading",
                "assignment = await self._meta.get(self._keys.sequencer(self._pchannel))",
                "key = self._keys.sequencer(self._pchannel)\n"
                "        at = max(1, (await self._meta.get(key)).revision - 8)\n"
                "        assignment = await self._meta.get(key, revision=at)",
            ),
            Edit(
                "sequencer.failover.reading",
                "await self._pchannel_record(assignment.revision)",
                "await self._pchannel_record(at)",
            ),
        ),
        killed_by=("SC-1", "RQ-1", "LIVE", "DL-1"),
    ),
    Mutant(
        rule="who was replaced and is wanted starts again",
        edits=(
            Edit(
                MACHINE,
                "return [told, *self._start(self._settings.restart_s)]",
                "self._assigned = 0\n        return [told]",
            ),
        ),
        killed_by="LIVE",
        scene=CHANCE,
        why=WHY,
    ),
    Mutant(
        rule="grants asked for after TermStart",
        edits=(
            Edit(GRANTS, "return self._before_term < asked <= self._asked", "return True"),
            Edit(GRANTS, "(self._grant.asked >= needed or self._away)", "True"),
        ),
        killed_by="TT-2",
        scene=CHANCE,
        why=WHY,
    ),
    Mutant(
        rule="grants below the log are thrown away",
        edits=(Edit(GRANTS, "max(self._grant.next, last + 1)", "self._grant.next"),),
        killed_by="TT-1",
        scene="scenes.parts:late_grant",
        why="one grant below the timestamp of a TermStart is all that it takes",
    ),
)
