"""Crash points and errors of the edges, met by a whole data service."""

from typing import Any

import pytest
from support.world.dataservice import World, play, watched
from support.world.facts import COLLECTION, position, report, segment_report, stamp

from headrace.dataservice.settings import DataServiceSettings
from headrace.dataservice.shell import COMMITTED, MANIFEST_DERIVED
from headrace.model.errors import Unavailable
from headrace.rpc.messages import FlushStateRequest
from headrace.runtime.telemetry import Silent, Telemetry


class Killed(BaseException):
    """What a crash point does to a simulated process."""


class KillAt:
    """Ends the process (by an error that nothing handles) when the place is reached."""

    def __init__(self, name: str) -> None:
        self.name = name

    def reach(self, name: str) -> None:
        if name == self.name:
            self.name = ""
            raise Killed(name)


async def until_leads(world: World, name: str) -> None:
    await world.until(lambda: world.services[name].leads)


def test_a_report_that_was_committed_before_the_kill_is_done_for_the_next_leader() -> None:
    async def scene(world: World) -> None:
        await world.kill("data-service")
        await world.start("first", crash=KillAt(COMMITTED))
        await until_leads(world, "first")
        await world.add_node(1)
        (a,) = world.create(1)
        await watched(world, [a])
        request = report(a, 1, (1, 5), segment_report(a, 11, 1, 1, (None, 5)))
        with pytest.raises(Unavailable):
            await world.ask(request, timeout_s=1.0)
        assert world.checkpoint(a).position == position(a, 5)
        await world.kill("first")
        await world.start("second")
        await until_leads(world, "second")
        assert (await world.ask(request)).outcome == "done"
        assert world.epoch(a).epoch == 1

    play(scene)


def test_a_list_that_was_not_stored_before_the_kill_is_stored_by_the_next_leader() -> None:
    async def scene(world: World) -> None:
        await world.kill("data-service")
        crash = KillAt("")
        await world.start("first", crash=crash)
        await until_leads(world, "first")
        await world.add_node(1)
        (a,) = world.create(1)
        await watched(world, [a])
        await world.until(lambda: world.listed() is not None)
        crash.name = MANIFEST_DERIVED
        await world.ask(report(a, 1, (1, 5), segment_report(a, 11, 1, 1, (None, 5))))
        ask = FlushStateRequest(collection_id=COLLECTION, timestamp=stamp(5))
        with pytest.raises(Unavailable):
            while not (await world.ask(ask, timeout_s=1.0)).flushed:
                await world.clock.sleep(0.1)
        listed = world.listed()
        assert listed is not None and listed.timestamp < stamp(5)
        await world.kill("first")
        await world.start("second")
        await until_leads(world, "second")
        while not (await world.ask(ask)).flushed:
            await world.clock.sleep(0.1)
        listed = world.listed()
        assert listed is not None and listed.timestamp == stamp(5)

    play(scene)


def test_while_the_bucket_is_away_nothing_is_flushed_and_nothing_is_lost() -> None:
    async def scene(world: World) -> None:
        await world.add_node(1)
        (a,) = world.create(1)
        await watched(world, [a])
        world.bucket_away = True
        await world.ask(report(a, 1, (1, 5), segment_report(a, 11, 1, 1, (None, 5))))
        ask = FlushStateRequest(collection_id=COLLECTION, timestamp=stamp(5))
        for _ in range(50):
            assert not (await world.ask(ask)).flushed
            await world.clock.sleep(0.2)
        world.bucket_away = False
        while not (await world.ask(ask)).flushed:
            await world.clock.sleep(0.1)

    play(scene)


class Heard(Silent):
    """A log that is read by the test."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def warning(self, event: str, **values: Any) -> None:
        self.events.append(("warning", event))

    def info(self, event: str, **values: Any) -> None:
        self.events.append(("info", event))


def test_lists_that_cannot_be_stored_are_said_once_and_so_is_their_return() -> None:
    async def scene(world: World) -> None:
        await world.kill("data-service")
        heard = Heard()
        world.telemetry = Telemetry(heard)
        await world.start("first")
        await until_leads(world, "first")
        await world.add_node(1)
        (a,) = world.create(1)
        await watched(world, [a])
        world.bucket_away = True
        await world.ask(report(a, 1, (1, 5), segment_report(a, 11, 1, 1, (None, 5))))
        await world.clock.sleep(30.0)
        assert heard.events.count(("warning", "no manifest")) == 1
        world.bucket_away = False
        await world.until(lambda: ("info", "manifest stored again") in heard.events)

    play(scene)


def test_maintenance_that_cannot_be_done_are_put_off_and_the_rest_goes_on() -> None:
    async def scene(world: World) -> None:
        world.network.kill("master:1")  # no timestamp for the truncate
        await world.add_node(1)
        (a,) = world.create(1)
        await watched(world, [a])
        await world.clock.sleep(100.0)
        assert (await world.ask(report(a, 1, (1, 5)))).outcome == "applied"

    play(scene, DataServiceSettings(settle_s=0.1, truncate_interval_s=1.0))
