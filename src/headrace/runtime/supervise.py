"""A group of named tasks that live and die together.

`asyncio.TaskGroup` is not used for two reasons: it keeps its tasks in a set, so they are cancelled
in the order of their addresses, which no seed repeats; and it raises an `ExceptionGroup`, which
hides the one error that a role reacts to by its type.
"""

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")


class TaskGroup:
    """`async with TaskGroup("data-node-1") as group: group.spawn("poll", poll())`.

    Leaving the block waits for all tasks. The first task that raises has all others, and the block,
    cancelled, and its error is raised from the block; errors that others raise while they end are
    added to it as notes. A block that raises or is cancelled has all tasks cancelled.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._failure: BaseException | None = None
        self._block: asyncio.Task[Any] | None = None
        self._in_block = False
        self._block_cancelled = False  # by us, because a task died
        self._ending = False
        self._wake = asyncio.Event()

    @property
    def names(self) -> list[str]:
        """Of the tasks that run, in the order in which they were spawned."""
        return [task.get_name() for task in self._tasks]

    def spawn(
        self, name: str, work: Coroutine[Any, Any, T], *, must_not_end: bool = False
    ) -> asyncio.Task[T]:
        """Run `work` as `GROUP:name`. With `must_not_end` a plain return is its death as well."""
        assert self._block is not None, "a task group is entered before its tasks are spawned"
        if self._ending:
            work.close()
            raise RuntimeError(f"{self._name} is ending: {name} cannot be started")
        task = asyncio.create_task(work, name=f"{self._name}:{name}")
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._ended(done, must_not_end))
        return task

    def cancel(self) -> None:
        """Cancel every task of the group in the order of spawning; the block itself goes on."""
        for task in list(self._tasks):
            task.cancel()

    async def __aenter__(self) -> Self:
        self._block = asyncio.current_task()
        self._in_block = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._block is not None
        self._in_block = False
        if self._block_cancelled and self._block.uncancel() == 0:
            # The cancel was ours alone: what is raised is the task's error, not the cancel.
            error = None if isinstance(error, asyncio.CancelledError) else error
        if error is not None:
            self._stop_all()
        while self._tasks:
            self._wake.clear()
            try:
                await self._wake.wait()
            except asyncio.CancelledError as cancelled:
                error = cancelled
                self._stop_all()
        self._ending = True
        if isinstance(error, asyncio.CancelledError):
            raise error
        if self._failure is not None:
            raise self._failure
        if error is not None:
            raise error

    def _stop_all(self) -> None:
        self._ending = True
        self.cancel()

    def _ended(self, task: asyncio.Task[Any], must_not_end: bool) -> None:
        self._tasks.pop(task, None)
        self._wake.set()
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            if self._ending or not must_not_end:
                return
            error = RuntimeError(f"{task.get_name()} ended, which it must not")
        if self._failure is not None:
            self._failure.add_note(f"then {task.get_name()} raised {error!r}")
            return
        error.add_note(f"raised by {task.get_name()}")
        self._failure = error
        self._stop_all()
        if self._in_block and self._block is not None:
            self._block_cancelled = True
            self._block.cancel()
