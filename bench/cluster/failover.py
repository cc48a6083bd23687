"""Failover: from the SIGKILL of a process until another does its work, rows coming in.

**Owns** the two figures, each the worst of several, each on a fresh cluster. **Does not own** the
look at data nodes (`headrace.cli.demo.watch`, by which the demo tells the same time). What is
killed is not started again: its work has to go to another process.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from bench.cluster.client import Client, encoded_inserts
from bench.cluster.fresh import cluster
from bench.figures import Figure, Say
from headrace.app.edges import etcd_of
from headrace.app.settings import EtcdSettings
from headrace.cli.demo.watch import Watcher
from headrace.meta.keys import Keys
from headrace.meta.records import CollectionRecord, SequencerRecord
from headrace.model import codec
from headrace.model.channel import pchannel_of
from headrace.runtime.host import real_host

LIMIT_S = 60.0
POLL_S = 0.05
SYNC_BYTES = 4_000_000  # small, so that the node has stored something before it is killed
TRICKLE_ROWS = 500
TRICKLE_PAUSE_S = 0.02
SHARDS = 16  # one in each pchannel, so that both proxies sequence some

Measure = Callable[[Path], Awaitable[float]]


async def of_data_node(directory: Path) -> float:
    """Seconds from SIGKILL to the first group consumed by the successor of every vchannel."""
    settings = (f"data_node.sync_bytes={SYNC_BYTES}",)
    async with cluster(
        directory, data_nodes=2, restart_data_nodes=False, settings=settings
    ) as standalone:
        assert standalone.etcd is not None
        client = Client(standalone.front_doors[0])
        collection_id = await client.create(2)
        stop = asyncio.Event()
        trickle = asyncio.create_task(_trickle(client, stop))
        watcher = Watcher(standalone.etcd.endpoint, lambda text: None)
        try:
            async with asyncio.timeout(LIMIT_S):
                node = await watcher.victim(collection_id, lambda: False)
                lost = {c.vchannel for c in (await watcher.channels(collection_id))[node]}
                began = time.perf_counter()
                standalone.kill(node)
                await watcher.taken_over(collection_id, lost, node)
                return time.perf_counter() - began
        finally:
            stop.set()
            await trickle
            await watcher.close()
            await client.close()


async def of_proxy(directory: Path) -> float:
    """Seconds from SIGKILL of a proxy to the acknowledgement, by the other one, of a request with
    rows for pchannels that the dead one sequenced."""
    async with cluster(directory, data_nodes=1, proxies=2) as standalone:
        assert standalone.etcd is not None
        first, second = (Client(address) for address in standalone.front_doors)
        collection_id = await first.create(SHARDS)
        before, after = encoded_inserts(2, rows=SHARDS * 32)
        await _both_sequence(standalone.etcd.endpoint, collection_id)
        await first.insert(before)
        await second.insert(before)
        child = standalone.children["proxy-1"]
        child.spec = replace(child.spec, restart=False)
        began = time.perf_counter()
        standalone.kill("proxy-1")
        await second.insert(after)
        took = time.perf_counter() - began
        await first.close()
        await second.close()
        return took


async def worst_of(what: Measure, directory: Path, name: str, times: int, say: Say) -> Figure:
    """The worst of several."""
    samples = []
    for number in range(1, times + 1):
        samples.append(await what(directory))
        say(f"{name}, {number} of {times}: {samples[-1]:.2f} s")
    return Figure(name=name, samples=tuple(samples), unit="s", at_most=5, worst=True)


async def _trickle(client: Client, stop: asyncio.Event) -> None:
    requests = encoded_inserts(4, rows=TRICKLE_ROWS)
    number = 0
    while not stop.is_set():
        await client.insert(requests[number % len(requests)])
        number += 1
        await asyncio.sleep(TRICKLE_PAUSE_S)


async def _both_sequence(etcd: str, collection_id: int) -> None:
    """Return when the collection's shards are spread over both proxies: pchannels move from the
    one that came first to the other. Only then is there something to take over."""
    keys = Keys()
    meta = etcd_of(EtcdSettings(endpoints=(etcd,)), real_host())
    try:
        item = (await meta.get(keys.collection(collection_id))).first
        assert item is not None, "the collection is not there"
        record = codec.decode(item.value, CollectionRecord, item.key)
        assignments = [keys.sequencer(pchannel_of(vchannel)) for vchannel in record.vchannels]
        names: set[str] = set()
        async with asyncio.timeout(LIMIT_S):
            while len(names) < 2:
                await asyncio.sleep(POLL_S)
                found = [(await meta.get(key)).first for key in assignments]
                names = {
                    codec.decode(i.value, SequencerRecord, i.key).node_name for i in found if i
                }
    finally:
        await meta.close()
