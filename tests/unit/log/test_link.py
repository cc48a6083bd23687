"""Links: which server takes us, and what is none of ours."""

from pathlib import Path

import pytest
from support.servers.nats import edit, open_log
from support.servers.nats import nats as nats

from headrace.app.servers.nats import NatsServer
from headrace.log.link import dial
from headrace.log.settings import NatsSettings
from headrace.model.errors import Invalid, Unavailable
from headrace.runtime.host import real_host

PCHANNEL = "headrace-dml-0"


@pytest.mark.parametrize("url", ["tls://localhost:4222", "nats://", "http://localhost:80"])
async def test_an_address_that_is_none_of_ours_is_invalid(url: str) -> None:
    with pytest.raises(Invalid, match=r"log\.servers"):
        await dial(NatsSettings(servers=(url,)), real_host())


async def test_of_several_servers_the_first_that_answers_is_taken(nats: NatsServer) -> None:
    log = await open_log(nats, servers=("nats://127.0.0.1:1", nats.url))
    await log.ensure(PCHANNEL)
    await log.close()


async def test_a_server_with_a_user_is_entered_with_the_password(nats: NatsServer) -> None:
    edit(nats, "server_name:", 'authorization { user: "rower", password: "s:cret" }\nserver_name:')
    await nats.stop()
    await nats.start()
    with pytest.raises(Unavailable, match="Authorization Violation"):
        await open_log(nats)
    log = await open_log(nats, servers=(nats.url.replace("//", "//rower:s%3Acret@"),))
    await log.ensure(PCHANNEL)
    await log.close()


async def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no NATS server takes us"):
        await open_log(NatsServer(tmp_path))
