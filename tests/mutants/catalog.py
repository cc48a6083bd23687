"""All mutants, by the rules of the executable model."""

import json
from pathlib import Path
from typing import Any

from mutants import datanode, dataservice, garbage, requests, sequencer
from mutants.edits import Mutant

ALL: tuple[Mutant, ...] = (
    *sequencer.MUTANTS,
    *requests.MUTANTS,
    *dataservice.MUTANTS,
    *datanode.MUTANTS,
    *garbage.MUTANTS,
)
BY_RULE = {mutant.rule: mutant for mutant in ALL}
KILLED = Path(__file__).parent / "killed.json"
NOT_BUILT = {
    "compaction compares the segment": "compaction is not built yet",
    "compaction compares the epoch": "compaction is not built yet",
}
NOT_SHOWN = (  # mutants that are written, and that nothing has named within its seeds so far
    "etcd is read linearizably",
)


def recorded() -> dict[str, dict[str, Any]]:
    """What `measure` found, by rule: place, killed_by, text, seed, seeds."""
    found: dict[str, dict[str, Any]] = json.loads(KILLED.read_text())
    return found
