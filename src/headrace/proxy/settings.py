"""What can be set about the front door, with defaults and limits."""

from dataclasses import dataclass
from typing import TypeAlias

from headrace.frame.surroundings import Surroundings
from headrace.model.errors import Invalid
from headrace.runtime.retry import Pauses

MB = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """The proxy's settings; checked when they are made."""

    host: str = "127.0.0.1"  # where the front door listens
    port: int = 19530  # 0 = any free one
    token: str = ""  # clients must send it with every call; "" = a client's token is ignored
    request_bytes_max: int = 64 * MB
    under_way_bytes_max: int = 512 * MB  # of all requests that are not answered yet
    entry_bytes_max: int = 4 * MB  # both bodies of one part; not above the sequencers' limit
    shards_max: int = 16  # of one collection
    fields_max: int = 64  # of one collection, as in Milvus
    deadline_s_max: float = 60.0  # of a call that has no deadline or a later one
    unavailable_after_s: float = 10.0  # while surely nothing of a request was sent anywhere
    append_timeout_s: float = 10.0  # of one attempt to have a part appended
    repeat_least_s: float = 0.02  # before the first repetition of anything, doubling
    repeat_most_s: float = 1.0
    suspect_again_s: float = 1.0  # how often one process is reported as unreachable
    offload_bytes: int = 4 * MB  # requests above it are checked and encoded in a thread
    known_timestamp_s: float = 5.0  # how old the newest known timestamp may grow before a write
    keys_leased: int = 65_536  # automatic keys leased at once, at least

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise Invalid(f"proxy.port is {self.port}, not between 0 and 65535", field="proxy.port")
        if not 0 < self.entry_bytes_max <= self.request_bytes_max:
            raise Invalid(
                "proxy.entry_bytes_max must be above 0 and at most proxy.request_bytes_max",
                field="proxy.entry_bytes_max",
            )
        for name in ("shards_max", "deadline_s_max", "append_timeout_s", "keys_leased"):
            if getattr(self, name) <= 0:
                raise Invalid(f"proxy.{name} must be above 0", field=f"proxy.{name}")

    @property
    def pauses(self) -> Pauses:
        """How the pauses between repetitions grow."""
        return Pauses(self.repeat_least_s, self.repeat_most_s)


ProxySurroundings: TypeAlias = Surroundings[ProxySettings]
