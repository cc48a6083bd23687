"""Epochs: a vchannel's next assignment, written by compare-and-swap.

The record is its own mark: an epoch belongs to one server id, so a leader that finds its record has
written it, and a write that lands late meets a revision that has moved on.
"""

from headrace.dataservice.effects import WriteEpoch
from headrace.frame.leader_store import LeaderStore
from headrace.meta.api import ModRevisionIs, Put
from headrace.meta.keys import Keys
from headrace.meta.records import EpochRecord
from headrace.model import codec
from headrace.model.errors import Unavailable
from headrace.model.ids import Revision


async def write_epoch(
    meta: LeaderStore, keys: Keys, order: WriteEpoch
) -> tuple[EpochRecord, Revision] | None:
    """The record as it stands, with its revision; None when something else stands.

    `Unavailable` when the outcome is not known; `NotLeading` when this process no longer leads.
    """
    key = keys.epoch(order.vchannel)
    record = EpochRecord(epoch=order.epoch, server_id=order.server_id, node_name=order.node_name)
    compare = [ModRevisionIs(key, order.revision)]  # CH-1: written by compare-and-swap
    try:
        revision = await meta.txn(compare, [Put(key, codec.encode(record))])
    except Unavailable:
        revision = None
    if revision is not None:
        return record, revision
    found = (await meta.store.get(key)).first
    if found is not None and codec.decode(found.value, EpochRecord, key) == record:
        return record, found.mod_revision
    return None
