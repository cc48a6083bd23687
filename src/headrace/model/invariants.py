"""The registry of invariants: ids used in code, checkers, metrics and docs.

Machines assert them in place (`violated(CP_1, ...)`), the simulator's checkers look at the whole
cluster, `docs/invariants.md` is generated from here.
"""

from dataclasses import dataclass
from typing import NoReturn


@dataclass(frozen=True, slots=True)
class Invariant:
    """What holds always."""

    id: str
    sentence: str


INVARIANTS = (
    Invariant("SQ-1", "after a TermStart no message of an earlier term stands in the pchannel"),
    Invariant("TT-1", "timestamps rise strictly with message ids and entries"),
    Invariant(
        "TT-2",
        "while the master service answers, a row's timestamp is above all that were granted before "
        "it was first sent",
    ),
    Invariant("ID-1", "ids never repeat, timestamps never in a pchannel"),
    Invariant(
        "RQ-1",
        "a part id stands at most once in the log (inside the window), and its repeats get its "
        "result",
    ),
    Invariant("CH-1", "at most one epoch of a vchannel may commit"),
    Invariant("CP-1", "a channel checkpoint never moves back"),
    Invariant("CP-2", "it never passes an entry that is not wholly stored and reported"),
    Invariant("SG-1", "segment states move only along the line"),
    Invariant(
        "SG-2",
        "the rows in a flushed segment's binlogs are exactly the rows that the log gave it",
    ),
    Invariant(
        "SC-1", "every row is decoded with the version that it names; a segment holds one version"
    ),
    Invariant("DD-1", "a DDL that is noted stands, and no row of an older version behind it"),
    Invariant(
        "DL-1",
        "every acknowledged row is in exactly one segment after recovery, and no row twice",
    ),
    Invariant(
        "DL-2",
        "a delete hides each earlier row with its key in its partition (or all), and no later one",
    ),
    Invariant("OB-1", "meta and the highest manifest never name a missing object"),
    Invariant(
        "SN-1",
        "a snapshot at T holds exactly what was appended at or below T, all that was acknowledged "
        "included",
    ),
    Invariant(
        "LIVE", "from every state each request is answered, and each flush done, once faults end"
    ),
)
BY_ID = {i.id: i for i in INVARIANTS}


def violated(invariant_id: str, details: str) -> NoReturn:
    """Raise: we are wrong, the process must stop."""
    raise AssertionError(f"{invariant_id} {BY_ID[invariant_id].sentence}: {details}")
