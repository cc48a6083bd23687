"""Settings of the data service, with their reasons."""

from dataclasses import dataclass

from headrace.model.errors import Invalid
from headrace.runtime.retry import Pauses


@dataclass(frozen=True, slots=True, kw_only=True)
class DataServiceSettings:
    """Values of the data service; units stand in the names."""

    lease_ttl_s: int = 5  # how long after its last sign of life a data service counts as gone
    step_s: float = 0.25  # how often what is wanted is compared with what is reported
    poll_s: float = 1.0  # how often a data node is asked what it watches
    poll_timeout_s: float = 2.0  # of one such question
    call_timeout_s: float = 5.0  # of a watch, a release, a hint
    announce_timeout_s: float = 2.0  # of an announcement, which is best effort
    commit_timeout_s: float = 10.0  # of a commit whose outcome is unknown; then the node repeats it
    retry_least_s: float = 0.05  # backoff of what is repeated until it is done
    retry_most_s: float = 1.0
    watches_at_once: int = 100  # vchannels in one WatchDmChannels

    settle_s: float = 1.0  # a new leader waits so long for nodes that come with it
    reregister_s: float = 5.0  # a node without a session that still answers keeps what it watches
    answers_s: float = 2.5  # a node that answered within it counts as answering
    suspicion_memory_s: float = 60.0  # a second failover on suspicion within it waits ...
    suspicion_wait_s: float = 5.0  # ... so long, each further one twice as long
    epoch_retry_s: float = 1.0  # a flowgraph that fails again gets its next epoch so much later ...
    epoch_retry_most_s: float = 60.0  # ... doubling up to this

    moves_at_once: int = 4  # vchannels under way for the sake of balance
    cool_down_s: float = 30.0  # a vchannel that moved stays at least so long
    balance_delay_s: float = 2.0  # nodes that come together are met by one set of moves
    split_difference: int = 4  # a pchannel is shared by two nodes only for more than so many
    drain_s: float = 20.0  # how long a planned move waits until all that is buffered is stored

    manifest_interval_s: float = 10.0  # between two manifests, unless a caller waits
    idle_manifest_interval_s: float = 600.0  # the same when only checkpoints have moved
    manifests_at_once: int = 4  # manifests in the making
    grace_s: float = 3600.0  # how long a manifest, and a file in it, outlives its successor
    collect_interval_s: float = 300.0  # between two rounds of the collector
    truncate_interval_s: float = 15.0  # between two truncates of the log
    window_s: float = 660.0  # request ids are kept 10 minutes; one more for what is under way
    bundle_size: int = 100  # flushed segments of a vchannel in one key
    bundle_interval_s: float = 60.0  # how often the flushed segments are counted

    def __post_init__(self) -> None:
        """`Invalid` names the value that cannot be."""
        for name, least in (
            ("lease_ttl_s", 2),
            ("step_s", 0.01),
            ("poll_s", 0.01),
            ("watches_at_once", 1),
            ("moves_at_once", 1),
            ("manifests_at_once", 1),
            ("split_difference", 2),
            ("bundle_size", 2),
            ("grace_s", 0),
        ):
            value = getattr(self, name)
            if value < least:
                raise Invalid(f"{name} is {value}, the least is {least}", field=name)
        if self.bundle_size > 100:
            raise Invalid(
                f"bundle_size is {self.bundle_size}; a transaction has room for 100",
                field="bundle_size",
            )

    @property
    def pauses(self) -> Pauses:
        return Pauses(self.retry_least_s, self.retry_most_s)

    @property
    def epoch_pauses(self) -> Pauses:
        """From a flowgraph's failure after another to the next epoch."""
        return Pauses(self.epoch_retry_s, self.epoch_retry_most_s)
