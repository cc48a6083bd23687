"""Surroundings of a process in memory, for tests that need no world around it."""

from dataclasses import dataclass, field
from typing import TypeVar

from headrace.frame.surroundings import Surroundings
from headrace.log.memory import MemoryLogServer
from headrace.meta.keys import Keys
from headrace.meta.memory import CallHook, MemoryMetaServer
from headrace.objects.memory import MemoryBucket, MemoryObjects
from headrace.rpc.memory import MemoryNetwork
from headrace.runtime.telemetry import silent
from support.world.clock import ManualClock, manual_host

S = TypeVar("S")


@dataclass
class Servers:
    """What processes share."""

    clock: ManualClock
    keys: Keys = field(default_factory=Keys)
    meta: MemoryMetaServer = field(init=False)
    network: MemoryNetwork = field(init=False)
    log: MemoryLogServer = field(default_factory=MemoryLogServer)
    started: int = 0

    def __post_init__(self) -> None:
        self.meta = MemoryMetaServer(self.clock)
        self.network = MemoryNetwork(self.clock)

    def process(self, settings: S, name: str, hook: CallHook | None = None) -> Surroundings[S]:
        """Those of another process."""
        self.started += 1
        return Surroundings(
            settings=settings,
            node_name=name,
            host=manual_host(self.clock, self.started),
            telemetry=silent(),
            keys=self.keys,
            meta=self.meta.client(name, hook),
            log=self.log.client(),
            objects=MemoryObjects(MemoryBucket(self.clock)),
            peers=self.network.peers(name),
            server=self.network.server(f"{name}:{self.started}"),
            validate=True,
        )


def surroundings(settings: S, clock: ManualClock) -> Surroundings[S]:
    """Those of a process that is alone."""
    return Servers(clock).process(settings, "alone")
