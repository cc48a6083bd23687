"""Looks at a running cluster: which processes have a session, which lead, what each says of itself.

It reads etcd and asks over the roles' own rpc, as any peer would, and changes nothing.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headrace.app import clusterfile
from headrace.app.edges import etcd_of
from headrace.app.settings import EtcdSettings
from headrace.meta.keys import Keys
from headrace.meta.records import (
    CollectionRecord,
    CollectionState,
    LeaderRecord,
    Role,
    SessionRecord,
)
from headrace.model import codec
from headrace.model.errors import HeadraceError, Invalid
from headrace.model.ids import CollectionId
from headrace.rpc.grpc import GrpcPeers
from headrace.rpc.messages import StatusRequest
from headrace.runtime.host import real_host

ASK_TIMEOUT_S = 3.0
_GONE = (CollectionState.DROPPING, CollectionState.DROPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One process: its session, whether it leads its role, its answer or why there is none."""

    session: SessionRecord
    leads: bool
    details: Mapping[str, Any] = field(default_factory=dict)
    state: str = ""
    trouble: str = ""


def etcd_settings(data_dir: Path | None, etcd: str | None) -> EtcdSettings:
    """Where the cluster's etcd is; `Invalid` says how to name it."""
    if etcd:
        return EtcdSettings(endpoints=tuple(etcd.split(",")))
    directory = data_dir or clusterfile.DEFAULT_DIRECTORY
    content = clusterfile.read(directory)
    if not clusterfile.is_alive(directory):
        raise Invalid(
            f"the cluster in {directory} does not run; start it with "
            f"`headrace standalone --data-dir {directory}`"
        )
    return EtcdSettings(endpoints=(content.etcd,))


async def look(where: EtcdSettings, topic: str = "", role: Role | None = None) -> list[Seen]:
    """All processes (of a role) in order of role and name, each with its answer to the topic."""
    host = real_host()
    meta = etcd_of(where, host)
    peers = GrpcPeers(host.clock)
    keys = Keys(where.root)
    try:
        found = await meta.range(keys.sessions_prefix(role.value if role else ""))
        sessions = [codec.decode(item.value, SessionRecord, item.key) for item in found.items]
        leaders = set()
        for name in (Role.MASTER_SERVICE, Role.DATA_SERVICE):
            item = (await meta.get(keys.leader(name.value))).first
            if item is not None:
                leaders.add(codec.decode(item.value, LeaderRecord, item.key).server_id)
        return list(
            await asyncio.gather(
                *(_ask(peers, session, topic, session.server_id in leaders) for session in sessions)
            )
        )
    finally:
        await peers.close()
        await meta.close()


async def collection_names(where: EtcdSettings) -> dict[CollectionId, str]:
    """Every collection's name by its id; that of a dropped one says so while a trace is left."""
    meta = etcd_of(where, real_host())
    try:
        found = await meta.range(Keys(where.root).collections_prefix)
    finally:
        await meta.close()
    records = [codec.decode(item.value, CollectionRecord, item.key) for item in found.items]
    return {r.id: f"{r.name} (dropped)" if r.state in _GONE else r.name for r in records}


async def _ask(peers: GrpcPeers, session: SessionRecord, topic: str, leads: bool) -> Seen:
    try:
        answer = await peers.call(session.address, StatusRequest(topic), timeout_s=ASK_TIMEOUT_S)
    except HeadraceError as error:
        return Seen(session=session, leads=leads, trouble=error.message)
    return Seen(session=session, leads=leads, state=answer.state, details=answer.details)
