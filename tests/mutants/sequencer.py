"""Builds of the sequencer without one rule."""

from mutants.edits import Edit, Mutant

TERM = "sequencer.term"
ATTEMPT = "sequencer.failover.attempt"

MUTANTS = (
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
    ),
    Mutant(
        rule="one append in flight",
        edits=(
            Edit(
                TERM,
                "if self._sent is None:\n            effects += self._control",
                "if self._sent is None or self._sent.flight.tries == 0:\n"
                "            effects += self._control",
            ),
            Edit(
                TERM,
                "expected_last=self.known,",
                "expected_last=self._sent.flight.message_id if self._sent else self.known,",
            ),
        ),
        killed_by="SQ-1",
    ),
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
    ),
    Mutant(
        rule="what is recorded is appended first",
        edits=(Edit("sequencer.requests.control_entries", "in found.values():", "in ():"),),
        killed_by=("SC-1", "RQ-1", "DL-1"),
    ),
)
