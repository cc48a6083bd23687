"""Focused scenes of the data node: traces of the executable model (`model.store`), played by hand.

The machine is production's, and so is what the data service decides; after each commit the
invariants are checked as the model checks them (`support.chaos.datanode`).
"""

from collections.abc import Iterator
from dataclasses import replace

from support.chaos.datanode import SETTINGS, World

from headrace.datanode import effects as fx
from mutants.scenes.parts import told

STORE = (fx.EncodePack, fx.PutObjects)


def seal_while_full() -> Iterator[str]:
    """A Seal is read while stored, unreported bytes leave no room, so its flush is not cut; then a
    caller waits for the checkpoint."""

    def run() -> None:
        full = replace(SETTINGS, unreported_bytes_most=1)
        world = World(0, ("term", "rows a 1 10 opens", "seal a 1", "tick"), full)
        world.carry_out(fx.Fetch, messages=2)
        world.carry_out(*STORE)
        world.carry_out(fx.Fetch, messages=2)
        world.carry_out(fx.SendReport, fx.SendReport)
        world.ask_up_to(world.log[2].group.last_timestamp)
        world.carry_out(fx.SendReport, fx.SendMoves)

    yield told(run)


def watch_twice() -> Iterator[str]:
    """Rows of two messages are stored and not reported; the watch comes again, and rows of the
    first message alone get the same key."""

    def run() -> None:
        world = World(0, ("term", "rows a 1 3 opens", "rows a 1 3"))
        world.carry_out(fx.Fetch, messages=3)
        world.wait(6.0)
        world.carry_out(*STORE)
        world.watch_again()
        world.carry_out(fx.Fetch, messages=2)
        world.wait(6.0)
        world.carry_out(*STORE, fx.SendReport)

    yield told(run)
