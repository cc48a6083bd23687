"""What a server says at its monitoring port, and what is no answer."""

import pytest
from support.servers.nats import nats as nats

from headrace.app.servers.nats import NatsServer
from headrace.log import monitor
from headrace.model.errors import Invalid, Unavailable


async def test_our_server_syncs_every_append(nats: NatsServer) -> None:
    report = await monitor.report(nats.monitor_url)
    assert report.sync_always
    assert report.jetstream


async def test_a_port_where_nobody_listens_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="monitoring port"):
        await monitor.report("http://127.0.0.1:1")
    assert not await monitor.is_healthy("http://127.0.0.1:1")


async def test_a_port_that_speaks_something_else_is_unavailable(nats: NatsServer) -> None:
    with pytest.raises(Unavailable, match="monitoring port"):
        await monitor.report(nats.url.replace("nats:", "http:"))


@pytest.mark.parametrize("url", ["127.0.0.1:8222", "https://127.0.0.1:8222", "http://127.0.0.1"])
async def test_an_address_that_is_not_http_with_a_port_is_invalid(url: str) -> None:
    with pytest.raises(Invalid, match="monitor_url"):
        await monitor.report(url)
