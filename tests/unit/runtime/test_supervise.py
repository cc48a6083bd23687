"""Task groups: the death of one is the death of all, and nothing is left behind."""

import asyncio

import pytest

from headrace.runtime.supervise import TaskGroup


async def forever() -> None:
    await asyncio.Event().wait()


async def fail(text: str = "broken") -> None:
    raise ValueError(text)


async def test_leaving_the_block_waits_for_all_tasks() -> None:
    done: list[str] = []
    gate = asyncio.Event()

    async def work(name: str) -> None:
        await gate.wait()
        done.append(name)

    async with TaskGroup("group") as group:
        group.spawn("a", work("a"))
        group.spawn("b", work("b"))
        assert group.names == ["group:a", "group:b"]
        gate.set()
    assert done == ["a", "b"]
    assert group.names == []


async def test_the_death_of_one_cancels_the_others_and_the_block() -> None:
    ended: list[str] = []

    async def note_end(name: str) -> None:
        try:
            await forever()
        finally:
            ended.append(name)

    with pytest.raises(ValueError, match="broken") as error:
        async with TaskGroup("group") as group:
            for name in "abcdef":
                group.spawn(name, note_end(name))
            group.spawn("dies", fail())
            await forever()
    assert ended == list("abcdef")
    assert error.value.__notes__ == ["raised by group:dies"]
    current = asyncio.current_task()
    assert current is not None and current.cancelling() == 0


async def test_a_death_while_the_block_waits_at_its_end_is_raised() -> None:
    gate = asyncio.Event()

    async def fail_later() -> None:
        await gate.wait()
        await fail()

    with pytest.raises(ValueError, match="broken"):
        async with TaskGroup("group") as group:
            group.spawn("stays", forever())
            group.spawn("dies", fail_later())
            gate.set()


async def test_errors_of_the_others_are_notes_of_the_first() -> None:
    async def fail_on_cancel() -> None:
        try:
            await forever()
        finally:
            raise KeyError("second")

    with pytest.raises(ValueError, match="broken") as error:
        async with TaskGroup("group") as group:
            group.spawn("second", fail_on_cancel())
            group.spawn("first", fail())
            await forever()
    assert "then group:second raised KeyError('second')" in error.value.__notes__


async def test_an_error_of_the_block_cancels_all_tasks_and_is_raised() -> None:
    with pytest.raises(KeyError):
        async with TaskGroup("group") as group:
            task = group.spawn("stays", forever())
            raise KeyError("mine")
    assert task.cancelled()


async def test_a_cancelled_block_cancels_all_tasks() -> None:
    started = asyncio.Event()
    tasks: list[asyncio.Task[None]] = []

    async def block() -> None:
        async with TaskGroup("group") as group:
            tasks.append(group.spawn("stays", forever()))
            started.set()

    outer = asyncio.create_task(block())
    await started.wait()
    outer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await outer
    assert tasks[0].cancelled()


async def test_a_task_that_must_not_end_dies_of_returning() -> None:
    async def returns() -> None:
        return

    with pytest.raises(RuntimeError, match="group:loop ended, which it must not"):
        async with TaskGroup("group") as group:
            group.spawn("loop", returns(), must_not_end=True)
            await forever()


async def test_cancel_ends_the_tasks_and_not_the_block() -> None:
    async with TaskGroup("group") as group:
        task = group.spawn("stays", forever())
        await asyncio.sleep(0)
        group.cancel()
        reached = True
    assert task.cancelled() and reached


async def test_nothing_starts_in_a_group_that_is_ending() -> None:
    refused: list[bool] = []

    async with TaskGroup("outer"):
        with pytest.raises(ValueError, match="broken"):
            async with TaskGroup("group") as group:

                async def spawn_late() -> None:
                    try:
                        await forever()
                    finally:
                        with pytest.raises(RuntimeError):
                            group.spawn("late", forever())
                        refused.append(True)

                group.spawn("late", spawn_late())
                group.spawn("dies", fail())
    assert refused == [True]
