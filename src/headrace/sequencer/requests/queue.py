"""The parts of requests that are here and have no outcome yet.

    READY -> FLYING -> (stands, or the term ends)
    READY <-> PARKED      for a version, or for room in the window

A repeat of a part that is here joins it: one part is appended once, however many call. A caller
whose deadline passes is told that surely nothing was appended, unless the part flies: then it waits
for the outcome.
"""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from headrace.model.entry import PartId
from headrace.rpc.messages import AppendRequest
from headrace.sequencer.events import Call

HEAD_BYTES = 256  # of one entry in a group's head, about


class PartState(StrEnum):
    """Of a waiting part."""

    READY = "ready"
    PARKED = "parked"
    FLYING = "flying"
    GONE = "gone"


@dataclass(slots=True, eq=False)
class Part:
    """One part of a request, and the calls that wait for its outcome."""

    request: AppendRequest = field(repr=False)
    size_bytes: int
    need: int  # number of the `AskGrant` that it needs
    state: PartState
    calls: dict[Call, float]  # -> deadline, monotonic seconds
    first_call: Call  # the one whose bytes are appended
    parked_for: str = ""


def size_of(request: AppendRequest) -> int:
    """What a part counts in a group."""
    return len(request.body) + len(request.delete_body) + HEAD_BYTES


class PartQueue:
    """The waiting parts of one pchannel, in the order in which they arrived."""

    def __init__(self) -> None:
        self._parts: dict[PartId, Part] = {}
        self._ready: dict[PartId, Part] = {}
        self._parked: dict[str, dict[PartId, Part]] = {}
        self._deadlines: list[tuple[float, Call, PartId]] = []
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._parts)

    def find(self, part_id: PartId) -> Part | None:
        return self._parts.get(part_id)

    def add(self, call: Call, request: AppendRequest, need: int, deadline: float) -> Part:
        """A part that is ready."""
        assert request.part_id not in self._parts, "a repeat joins"
        part = Part(request, size_of(request), need, PartState.READY, {call: deadline}, call)
        self._parts[request.part_id] = part
        self._ready[request.part_id] = part
        self.size_bytes += part.size_bytes
        heapq.heappush(self._deadlines, (deadline, call, request.part_id))
        return part

    def join(self, part: Part, call: Call, deadline: float) -> None:
        """A repeat waits for the first."""
        part.calls[call] = deadline
        heapq.heappush(self._deadlines, (deadline, call, part.request.part_id))

    def park(self, part: Part, reason: str) -> None:
        """It is not to be appended until what it waits for has come."""
        assert part.state is PartState.READY, part.state
        del self._ready[part.request.part_id]
        part.state, part.parked_for = PartState.PARKED, reason
        self._parked.setdefault(reason, {})[part.request.part_id] = part

    def release(self, reason: str) -> list[Part]:
        """What was parked for it is ready again, behind the others; the released parts."""
        released = list(self._parked.pop(reason, {}).values())
        for part in released:
            part.state, part.parked_for = PartState.READY, ""
            self._ready[part.request.part_id] = part
        return released

    def parked(self, reason: str) -> int:
        return len(self._parked.get(reason, ()))

    def ready(self) -> Iterator[Part]:
        """The ready parts in order. Change nothing while iterating."""
        return iter(self._ready.values())

    def fly(self, parts: Iterable[Part]) -> None:
        """They are on their way."""
        for part in parts:
            assert part.state is PartState.READY, part.state
            part.state = PartState.FLYING
            del self._ready[part.request.part_id]

    def drop(self, part: Part) -> None:
        """It is here no more: it has an outcome, or no call waits for it."""
        if part.state is PartState.PARKED:
            waiting = self._parked[part.parked_for]
            del waiting[part.request.part_id]
            if not waiting:
                del self._parked[part.parked_for]
        elif part.state is PartState.READY:
            del self._ready[part.request.part_id]
        part.state = PartState.GONE
        del self._parts[part.request.part_id]
        self.size_bytes -= part.size_bytes

    def expire(self, now: float) -> list[tuple[Call, Part]]:
        """The calls whose deadline has passed without their part flying; they are taken out."""
        expired: list[tuple[Call, Part]] = []
        while self._deadlines and self._deadlines[0][0] <= now:
            _, call, part_id = heapq.heappop(self._deadlines)
            part = self._parts.get(part_id)
            if part is None or call not in part.calls or part.state is PartState.FLYING:
                continue
            del part.calls[call]
            expired.append((call, part))
            if not part.calls:
                self.drop(part)
        return expired

    def unsent(self) -> list[Part]:
        return [p for p in self._parts.values() if p.state is not PartState.FLYING]

    def all(self) -> list[Part]:
        return list(self._parts.values())

    def validate(self) -> None:
        """Counts and states agree."""
        assert self.size_bytes == sum(p.size_bytes for p in self._parts.values())
        parked = {i: p for waiting in self._parked.values() for i, p in waiting.items()}
        for part_id, part in self._parts.items():
            assert part.request.part_id == part_id and part.calls, "a call waits for each part"
            assert part.state is not PartState.GONE
            assert (part.state is PartState.PARKED) == (part_id in parked), part.state
            assert (part.state is PartState.READY) == (part_id in self._ready), part.state
