"""The virtual loop: time jumps, frozen processes hold, dead ones never speak again."""

import asyncio
import random

import pytest

from headrace.sim.host import virtual_host
from headrace.sim.loop import Deadlock, Fate, VirtualLoop, context_of


def run(main):
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.close()


def test_an_hour_passes_at_once():
    async def main():
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time()

    assert run(main()) == pytest.approx(3600, abs=1e-3)


def test_timers_fire_in_order_of_their_time():
    async def main():
        seen = []

        async def after(seconds):
            await asyncio.sleep(seconds)
            seen.append(seconds)

        await asyncio.gather(*map(after, (3, 1, 2)))
        return seen

    assert run(main()) == [1, 2, 3]


def test_a_frozen_process_goes_on_after_the_thaw():
    async def main():
        loop = asyncio.get_running_loop()
        fate, seen = Fate("p"), []

        async def work():
            for n in range(5):
                await asyncio.sleep(1)
                seen.append((n, int(loop.time())))

        task = loop.create_task(work(), context=context_of(fate))
        await asyncio.sleep(2.5)
        fate.frozen = True
        await asyncio.sleep(10)
        loop.thaw(fate)
        await task
        return seen

    assert run(main()) == [(0, 1), (1, 2), (2, 12), (3, 13), (4, 14)]


def test_a_dead_process_runs_no_finally():
    async def main():
        loop = asyncio.get_running_loop()
        fate, seen = Fate("p"), []

        async def work():
            try:
                await asyncio.sleep(5)
            finally:
                seen.append("finally")

        fate.task = loop.create_task(work(), context=context_of(fate))
        await asyncio.sleep(1)
        fate.dead = True
        await asyncio.sleep(10)
        return list(seen)

    assert run(main()) == []


def test_waiting_for_nothing_is_a_deadlock():
    async def main():
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Deadlock):
        run(main())


def test_the_same_seed_gives_the_same_times():
    def once():
        async def main():
            host = virtual_host(random.Random(7))
            times = []
            for _ in range(20):
                await host.offload.run(lambda: None)
                times.append(host.clock.monotonic())
            return times

        return run(main())

    assert once() == once()
