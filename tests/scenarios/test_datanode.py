"""Plays `datanode/*.txt`: what a data node's machine is told and what it orders.

The commands are the methods of `support.players.datanode.Player`; orders that nobody has carried
out stay pending, and the machine's invariants are asserted after every step.
"""

from pathlib import Path

import pytest
from support.players.datanode import Player
from support.players.scripts import run

SCRIPTS = sorted((Path(__file__).parent / "datanode").glob("*.txt"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_machine_orders_what_the_script_says(script: Path) -> None:
    run(script, Player().play)


def test_there_are_scripts() -> None:
    assert len(SCRIPTS) >= 12
