"""Settings of the data node, with their reasons. MB are 10^6 bytes."""

from dataclasses import dataclass

from headrace.model.errors import Invalid
from headrace.runtime.retry import Pauses

MB = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DataNodeSettings:
    """Values of a data node; units stand in the names."""

    sync_bytes: int = 64 * MB  # a segment's buffer is stored when it has grown to this
    sync_age_s: float = 60.0  # ... or when its oldest row has waited so long

    budget_bytes: int = 192 * MB  # of rows fetched, queued, buffered and being written
    budget_soft_share: float = 0.5  # above this share of it, the largest and the oldest are synced
    unreported_bytes_most: int = 1024 * MB  # stored, not yet reported: then nothing more is synced
    fetch_bytes_most: int = 16 * MB  # credit of one fetch from a pchannel
    fetch_bytes_least: int = 1 * MB  # ... and of one that has read all there was

    encodes_at_once: int = 2  # sync packs that are made into files at the same time
    puts_at_once: int = 4  # objects on their way to the store
    retry_least_s: float = 0.05  # backoff of what is repeated until it is done
    retry_most_s: float = 2.0
    breaker_failures: int = 5  # puts that fail in a row until the object store is left alone ...
    breaker_open_s: float = 2.0  # ... for so long, but for one try

    report_timeout_s: float = 10.0  # of one SaveBinlogPaths
    report_segments_most: int = 100  # in one report: a transaction has room for 128 operations
    idle_report_s: float = 60.0  # how often the checkpoint of an idle vchannel is reported
    moves_most: int = 1000  # idle vchannels in one report

    step_s: float = 1.0  # how often ages are looked at
    stop_s: float = 10.0  # how long a node that is stopped goes on storing what it has buffered
    lease_ttl_s: int = 5  # how long after its last sign of life a data node counts as gone

    @property
    def pauses(self) -> Pauses:
        """The pauses before what is repeated until it is done."""
        return Pauses(self.retry_least_s, self.retry_most_s)

    def __post_init__(self) -> None:
        """`Invalid` names the value that cannot be."""
        for name, least in (
            ("sync_bytes", 1),
            ("sync_age_s", 0),
            ("budget_bytes", 1),
            ("unreported_bytes_most", 1),
            ("fetch_bytes_least", 1),
            ("encodes_at_once", 1),
            ("puts_at_once", 1),
            ("breaker_failures", 1),
            ("moves_most", 1),
            ("report_segments_most", 1),
            ("step_s", 0.001),
            ("stop_s", 0),
            ("lease_ttl_s", 2),
        ):
            value = getattr(self, name)
            if value < least:
                raise Invalid(f"{name} is {value}, the least is {least}", field=name)
        if self.report_segments_most > 120:
            raise Invalid(
                f"report_segments_most is {self.report_segments_most}; a transaction has room for "
                "120",
                field="report_segments_most",
            )
        if self.fetch_bytes_most < self.fetch_bytes_least:
            raise Invalid("fetch_bytes_most is below fetch_bytes_least", field="fetch_bytes_most")
        if not 0 < self.budget_soft_share <= 1:
            raise Invalid(
                f"budget_soft_share is {self.budget_soft_share}, not in (0, 1]",
                field="budget_soft_share",
            )
