"""Plays the scripts: what a role's machine is told and what it orders, or several roles together.

The commands are those of the players in `support.players`; orders that nobody has carried out stay
pending, and the machine's invariants are asserted after every step.
"""

from collections import Counter
from pathlib import Path

import pytest
from support.players import datanode, dataservice, masterservice, sequencer, together
from support.players.scripts import run

PLAYERS = {
    "datanode": datanode.Player,
    "dataservice": dataservice.Player,
    "masterservice": masterservice.Player,
    "sequencer": sequencer.Player,
    "together": together.Player,
}
SCRIPTS = sorted(Path(__file__).parent.glob("*/*.txt"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_machines_order_what_the_script_says(script: Path) -> None:
    run(script, PLAYERS[script.parent.name]().play)


def test_there_are_scripts_for_every_player() -> None:
    counts = Counter(script.parent.name for script in SCRIPTS)
    assert counts.keys() == PLAYERS.keys()
    assert min(counts.values()) >= 1
    assert counts["datanode"] >= 12
