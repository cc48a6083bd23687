"""What tests do to one process's way to the meta store in memory.

**Owns** `Line`, a hook with a switch. **Does not own** seeded faults (`headrace.sim.faults`).
"""

from headrace.meta.memory import MetaCall
from headrace.model.errors import Unavailable


class Line:
    """Implements `meta.memory.CallHook`. `cut`: nothing gets through. `lose_answers`: the next so
    many calls of these methods are done, and their answers lost. `calls` are those that came."""

    def __init__(self) -> None:
        self.cut = False
        self.lose_answers: dict[str, int] = {}
        self.calls: list[MetaCall] = []

    async def before(self, call: MetaCall) -> None:
        """See `CallHook`."""
        if self.cut:
            raise Unavailable("the line is cut")
        self.calls.append(call)

    async def after(self, call: MetaCall) -> None:
        """See `CallHook`."""
        if self.lose_answers.get(call.method, 0) > 0:
            self.lose_answers[call.method] -= 1
            raise Unavailable("the answer is lost")
        if self.cut:
            raise Unavailable("the line is cut")
