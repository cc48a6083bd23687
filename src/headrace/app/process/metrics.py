"""The HTTP endpoint of every process: `/metrics` (Prometheus), `/healthz`, `/livez`.

The server has threads of its own, so that it answers while the loop is busy. Each connection has a
thread, and is closed when it is silent for some seconds: a connection that says nothing would
otherwise keep all others from seeing whether the process is well.
"""

from collections.abc import Callable, Iterable
from functools import partial
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from headrace.model.errors import Invalid

END_POLL_S = 0.02  # how often the thread looks whether it is to end
SILENT_S = 5.0  # how long a connection may say nothing


class _Threads(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away, or said what is no HTTP, is no event either."""


class _Quiet(WSGIRequestHandler):
    def setup(self) -> None:
        """A connection that says nothing for so long is closed."""
        super().setup()
        self.connection.settimeout(SILENT_S)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
        """A scrape is no event."""


class MetricsServer:
    """Serves from the start until `close`; `Invalid` when its address cannot be had."""

    def __init__(
        self,
        registry: CollectorRegistry,
        healthy: Callable[[], bool],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        metrics = make_wsgi_app(registry)

        def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
            path = environ.get("PATH_INFO", "/")
            if path in ("/healthz", "/livez"):
                good = path == "/livez" or healthy()
                start("200 OK" if good else "503 Service Unavailable", [])
                return [b"ok\n" if good else b"not healthy yet\n"]
            found: Iterable[bytes] = metrics(environ, start)
            return found

        try:
            self._server: WSGIServer = make_server(
                host, port, answer, server_class=_Threads, handler_class=_Quiet
            )
        except OSError as error:
            raise Invalid(
                f"process.metrics_port: cannot listen at {host}:{port}: {error.strerror}",
                field="process.metrics_port",
            ) from error
        self.address = f"{host}:{self._server.server_port}"
        serve = partial(self._server.serve_forever, poll_interval=END_POLL_S)
        Thread(target=serve, name="metrics", daemon=True).start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
