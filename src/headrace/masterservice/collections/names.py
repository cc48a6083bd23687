"""The names of collections, as a list in the object store: stored before a DDL is answered.

One order is under way at a time and stands for all that changed before it, so a thousand creates
cost few lists. A new leader orders one at once: its predecessor may have noted a DDL and died
before the list was stored. Even "it is absent, so it is dropped" waits for that.
"""

from typing import Any

from headrace.masterservice.effects import Answer, Effect, StoreNames
from headrace.model.ids import Revision


class Names:
    """What is stored, and who waits for it."""

    def __init__(self) -> None:
        self._wanted: Revision = 0
        self._stored: Revision = 0
        self._ordered: Revision = 0  # the order under way, 0 = none
        self._waiting: list[tuple[Revision, Answer]] = []

    def changed(self, revision: Revision) -> list[Effect]:
        """Names changed at this revision (or may have, before it)."""
        self._wanted = max(self._wanted, revision)
        return self._order()

    def answer(self, call: int, response: Any) -> list[Effect]:
        """Answer the caller when all changes until now are stored."""
        answer = Answer(call, response)
        if self._stored >= self._wanted:
            return [answer]
        self._waiting.append((self._wanted, answer))
        return []

    def stored(self, revision: Revision) -> list[Effect]:
        """A list as of this revision stands."""
        self._stored = max(self._stored, revision)
        self._ordered = 0
        ready: list[Effect] = [a for wanted, a in self._waiting if wanted <= self._stored]
        self._waiting = [(w, a) for w, a in self._waiting if w > self._stored]
        return ready + self._order()

    def _order(self) -> list[Effect]:
        if self._ordered or self._stored >= self._wanted:
            return []
        self._ordered = self._wanted
        return [StoreNames(self._wanted)]

    def validate(self) -> None:
        """Who waits, waits for an order that is under way."""
        assert not self._waiting or self._ordered, "answers wait and no list is ordered"
