"""Settings of the NATS adapter."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class NatsSettings:
    """How to reach the servers and how long to wait for them."""

    servers: tuple[str, ...] = ("nats://127.0.0.1:4222",)  # nats://[user:password@|token@]host:port
    monitor_url: str = ""  # http://host:port of each server, separated by commas
    sync_confirmed: bool = False  # an operator's word that sync_interval is always on all servers
    replicas: int = 1  # of each stream that is made
    store_dir: str = ""  # of a server on this machine, to see how much room its disk has
    connect_timeout_s: float = 3.0  # for one server: TCP, hello and first PONG
    connected_wait_s: float = 1.0  # an append waits so long for a connection that is being remade
    answer_timeout_s: float = 5.0  # of everything but an append
    append_timeout_s: float = 10.0  # 7 MB, three replicas and a slow disk included
    ping_s: float = 2.0  # a silent connection is asked for a sign of life
    silence_most_s: float = 6.0  # and given up after this long without one
    # A reader whose place lies beyond the log's end waits so long for a server that knows more;
    # then the log has lost its end, which is Corrupt.
    lost_end_s: float = 30.0
