"""An asyncio event loop on virtual time, in which simulated processes can freeze and die.

Time moves only when nothing is ready: then it jumps to the next timer. So an hour of a cluster
takes seconds, and the same seed gives the same order of everything. Every callback runs in a
context; the context says to which simulated process it belongs. What belongs to a frozen process is
held until it thaws; what belongs to a dead one never runs again - no `finally`, no last word, as
after SIGKILL.
"""

import asyncio
import contextvars
import selectors
from collections.abc import Callable
from typing import Any

PROCESS: contextvars.ContextVar["Fate | None"] = contextvars.ContextVar("process", default=None)


class Deadlock(Exception):
    """Nothing is ready, no timer is set: the simulation can never go on."""


class Fate:
    """Whether a simulated process runs, is frozen, or is dead."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.frozen = False
        self.dead = False
        self.held: list[asyncio.Handle] = []
        self.tasks: list[asyncio.Task[Any]] = []  # kept, so that no collector ends a dead task


class _VirtualSelector(selectors.BaseSelector):
    """Selects nothing: waiting means moving the clock on."""

    def __init__(self) -> None:
        self._keys: dict[Any, selectors.SelectorKey] = {}
        self.advance: Callable[[float], None] = lambda seconds: None

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        fd = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        key = selectors.SelectorKey(fileobj, fd, events, data)
        self._keys[fileobj] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Deadlock("nothing is ready and no timer is set")
        if timeout > 0:
            self.advance(timeout)
        return []

    def get_map(self) -> Any:
        return self._keys


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module."""

    def __init__(self) -> None:
        selector = _VirtualSelector()
        super().__init__(selector)
        self._virtual_now = 0.0
        selector.advance = self._advance
        self.steps = 0
        self.callbacks_broken: list[str] = []
        self.set_task_factory(_task_of_process)
        self.set_exception_handler(lambda _, context: self._heard(context))

    def _heard(self, context: dict[str, Any]) -> None:
        # What is said of a task when it is collected is said at no certain time, and dead
        # processes leave many; a callback that raises is a bug of ours.
        if "Exception in callback" in context.get("message", ""):
            self.callbacks_broken.append(f"{context['message']}: {context.get('exception')!r}")

    def _asyncgen_finalizer_hook(self, agen: Any) -> None:
        """Nothing: when a generator is collected must not decide about the order of anything."""

    def time(self) -> float:
        return self._virtual_now

    def _advance(self, seconds: float) -> None:
        # One nanosecond more: the timer that is due must not stay due by rounding.
        self._virtual_now += seconds + 1e-9

    def call_soon(  # type: ignore[override]
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        """As asyncio's, but held or dropped when its process is frozen or dead."""
        self.steps += 1
        fate = _fate(context)
        if fate is None or not (fate.dead or fate.frozen):
            return super().call_soon(callback, *args, context=context)
        handle = asyncio.Handle(callback, args, self, context)
        if fate.frozen and not fate.dead:
            fate.held.append(handle)
        return handle

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """As asyncio's; a timer of a frozen process fires when it thaws."""
        fate = _fate(context)
        if fate is None:
            return super().call_at(when, callback, *args, context=context)

        def fire() -> None:
            if fate.dead:
                return
            if fate.frozen:
                fate.held.append(asyncio.Handle(callback, args, self, context))
                return
            callback(*args)

        return super().call_at(when, fire, context=context)

    def thaw(self, fate: Fate) -> None:
        """Let a frozen process go on with all that came meanwhile, in its order."""
        fate.frozen = False
        held, fate.held = fate.held, []
        for handle in held:
            self._ready.append(handle)  # type: ignore[attr-defined]


def _fate(context: contextvars.Context | None) -> Fate | None:
    return PROCESS.get() if context is None else context.get(PROCESS)


def _task_of_process(
    loop: asyncio.AbstractEventLoop, coroutine: Any, context: contextvars.Context | None = None
) -> asyncio.Task[Any]:
    task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, context=context)
    fate = _fate(context)
    if fate is not None:
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        fate.tasks.append(task)
        if len(fate.tasks) > 256:
            fate.tasks[:] = [t for t in fate.tasks if not t.done()]
    return task


def context_of(fate: Fate | None) -> contextvars.Context:
    """A fresh context whose callbacks belong to this process (None = to the world outside)."""
    context = contextvars.copy_context()
    context.run(PROCESS.set, fate)
    return context
