"""The endpoint of a process: it answers whatever its other clients do."""

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter

from headrace.app.process import metrics
from headrace.app.process.metrics import MetricsServer
from headrace.model.errors import Invalid


@pytest.fixture
def state() -> dict[str, bool]:
    return {"healthy": False}


@pytest.fixture
def server(state: dict[str, bool]) -> Iterator[MetricsServer]:
    registry = CollectorRegistry()
    Counter("seen", "Things seen", registry=registry).inc()
    made = MetricsServer(registry, lambda: state["healthy"])
    yield made
    made.close()


def fetch(server: MetricsServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{server.address}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def connect(server: MetricsServer) -> socket.socket:
    host, _, port = server.address.partition(":")
    return socket.create_connection((host, int(port)), timeout=5)


def test_it_says_what_was_counted_and_whether_the_role_is_well(server, state):
    assert "seen_total 1.0" in fetch(server, "/metrics")[1]
    assert fetch(server, "/livez") == (200, "ok\n")
    assert fetch(server, "/healthz") == (503, "not healthy yet\n")
    state["healthy"] = True
    assert fetch(server, "/healthz") == (200, "ok\n")


def test_connections_that_say_nothing_or_nonsense_keep_nobody_from_an_answer(server, capfd):
    silent = [connect(server) for _ in range(20)]
    with connect(server) as nonsense:
        nonsense.sendall(b"\x16\x03\x01" + bytes(range(256)) + b"\r\n\r\n")
        assert fetch(server, "/livez") == (200, "ok\n")
    for one in silent:
        one.close()
    assert "Traceback" not in capfd.readouterr().err


def test_a_silent_connection_is_closed(monkeypatch):
    monkeypatch.setattr(metrics, "SILENT_S", 0.05)
    server = MetricsServer(CollectorRegistry(), lambda: True)
    with connect(server) as silent:
        assert silent.recv(1) == b""
    server.close()


def test_a_port_that_is_taken_is_refused_by_the_name_of_its_setting(server):
    port = int(server.address.rpartition(":")[2])
    with pytest.raises(Invalid, match=r"process\.metrics_port: cannot listen"):
        MetricsServer(CollectorRegistry(), lambda: True, port=port)
