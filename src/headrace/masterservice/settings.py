"""Settings of the master service, with their reasons."""

from dataclasses import dataclass

from headrace.model.errors import Invalid
from headrace.runtime.retry import Pauses


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterServiceSettings:
    """Values of the master service; units stand in the names."""

    pchannels: int = 16  # log streams of the cluster, at least as many as data nodes; set once
    pchannel_prefix: str = "headrace-dml"  # set once
    lease_ttl_s: int = 5  # how long after its last sign of life a master service counts as gone
    timestamp_window_ms: int = 3000  # how far the persisted mark is ahead of the timestamps granted
    id_window: int = 10_000_000  # the same for ids; a change of the leader skips at most so many
    grant_max: int = 65_536  # timestamps of one grant
    ids_max: int = 1 << 24  # ids of one lease
    balance_delay_s: float = 1.0  # proxies that come together are met by one set of moves
    moves_at_once: int = 4  # pchannels that stand still at the same time for a planned move
    stop_timeout_s: float = 2.0  # how long a planned move waits for the old sequencer to stop
    connect_timeout_s: float = 1.0  # of the own attempt to reach a suspected proxy
    suspicion_memory_s: float = 60.0  # a second failover on suspicion within it waits ...
    suspicion_wait_s: float = 5.0  # ... so long, each further one twice as long
    suspect_retry_s: float = 2.0  # how often a suspected proxy that has a session is tried again
    ddl_call_timeout_s: float = 5.0  # of one call to a sequencer or to the data service
    placing_timeout_s: float = 20.0  # how long a create looks for sequencers of its pchannels
    retry_least_s: float = 0.05  # backoff of what is repeated until it is done
    retry_most_s: float = 1.0
    tombstone_sweep_s: float = 30.0  # how often dropped collections are looked at

    def __post_init__(self) -> None:
        """`Invalid` names the value that cannot be."""
        for name, least in (
            ("pchannels", 1),
            ("lease_ttl_s", 2),
            ("timestamp_window_ms", 100),
            ("id_window", 1000),
            ("grant_max", 1),
            ("moves_at_once", 1),
        ):
            value = getattr(self, name)
            if value < least:
                raise Invalid(f"{name} is {value}, the least is {least}", field=name)
        if not self.pchannel_prefix or set(self.pchannel_prefix) & set("_. */>\\"):
            raise Invalid(
                f"pchannel_prefix {self.pchannel_prefix!r} is empty or has one of '_. */>\\'",
                field="pchannel_prefix",
            )

    @property
    def pauses(self) -> Pauses:
        return Pauses(self.retry_least_s, self.retry_most_s)
