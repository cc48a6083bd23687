"""Settings of the sequencer, with their reasons."""

from dataclasses import dataclass

from headrace.model.errors import Invalid
from headrace.runtime.retry import Pauses

MB = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SequencerSettings:
    """Values of the sequencers of one process; units stand in the names."""

    entry_bytes_max: int = 4 * MB  # both bodies of one entry
    group_bytes_max: int = 7 * MB  # bodies and heads of one message; the log takes 8 MB
    group_entries_max: int = 2000  # entries of one message, fewer than the timestamps of a grant
    queue_bytes_max: int = 128 * MB  # of one pchannel, waiting; above it requests are refused

    window_keyed_s: int = 600  # how long the ids of requests with a client's key are kept
    window_other_s: int = 120  # the same for all others; above the front door's longest deadline
    window_ids_max: int = 1_000_000  # then keyed requests wait
    first_sent_lead_s: int = 60  # how far a first sending may be above its entry's timestamp
    digest_bytes: int = 64 * MB  # of messages between two digests
    digest_messages: int = 1000  # the same as a number, so that the tail is read in a second
    digest_ids: int = 32_000  # the same in ids, so that a digest fits into a message

    segment_bytes_max: int = 256 * MB  # of rows, then a Seal
    segment_age_s: float = 600.0
    segment_idle_s: float = 120.0
    tick_idle_s: float = 10.0  # an idle pchannel gets a tick so often

    grant_count: int = 4096  # timestamps asked for at once
    grant_pause_s: float = 0.002  # least time from one call for timestamps to the next
    grant_timeout_s: float = 1.0  # then the rest of the last grant is used
    ids_lease: int = 1 << 17  # ids (rows, segments) leased at once, per pchannel
    ids_timeout_s: float = 2.0

    retry_least_s: float = 0.05  # backoff of what is repeated until it has an outcome
    retry_most_s: float = 1.0
    restart_s: float = 0.2  # from being replaced to the next TermStart, if still wanted
    stop_forgotten_s: float = 5.0  # a stop that no new assignment follows is forgotten after that
    log_silent_s: float = 5.0  # an append without an outcome: then waiting requests are refused
    log_free_bytes_min: int = 256 * MB  # below it requests are refused
    time_step_s: float = 0.25  # how often deadlines, ages and idleness are looked at
    disk_step_s: float = 1.0  # how often the log's free space is looked at
    stop_timeout_s: float = 3.0  # how long a clean end waits for appends under way

    def __post_init__(self) -> None:
        """`Invalid` names the value that cannot be."""
        for name, least, most in (
            ("entry_bytes_max", 1000, self.group_bytes_max),
            ("group_entries_max", 10, self.grant_count),
            ("window_other_s", 1, self.window_keyed_s),
            ("digest_ids", 1, 60_000),
            ("ids_lease", 1, 1 << 24),
        ):
            value = getattr(self, name)
            if not least <= value <= most:
                raise Invalid(f"{name} is {value}, not within {least} and {most}", field=name)

    @property
    def pauses(self) -> Pauses:
        return Pauses(self.retry_least_s, self.retry_most_s)
