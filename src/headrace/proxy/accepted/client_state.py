"""Client state: what clients set on a collection and read back, though nothing here uses it.

Indexes, loads and properties are such state, each under a topic of its own. The master service
writes a value beside the collection (`meta.keys.Keys.client_state`) and deletes it with the
collection.
"""

from collections.abc import Mapping

from headrace.meta.records import CollectionRecord, Role
from headrace.proxy.call import ClientCall
from headrace.proxy.cluster.leaders import Leaders
from headrace.proxy.settings import ProxySurroundings
from headrace.rpc.messages import SetClientStateRequest


class ClientState:
    """Reads from the store itself, so that all proxies answer alike."""

    def __init__(self, around: ProxySurroundings, leaders: Leaders) -> None:
        self._leaders = leaders
        self._meta = around.meta
        self._keys = around.keys

    async def set(
        self, record: CollectionRecord, topic: str, value: bytes, call: ClientCall
    ) -> None:
        """Store `value`, which is not empty, in place of an earlier one under the topic."""
        assert value, topic
        await self._set_client_state(record, topic, value, call)

    async def delete(self, record: CollectionRecord, topic: str, call: ClientCall) -> None:
        """Delete the value under the topic, if there is one."""
        await self._set_client_state(record, topic, b"", call)

    async def below(self, record: CollectionRecord, topic: str) -> Mapping[str, bytes]:
        """The values under all topics that begin so: rest of the topic, in order -> value."""
        prefix = self._keys.client_state(record.id, topic)
        found = await self._meta.range(prefix)
        return {item.key.removeprefix(prefix): item.value for item in found.items}

    async def _set_client_state(
        self, record: CollectionRecord, topic: str, value: bytes, call: ClientCall
    ) -> None:
        order = SetClientStateRequest(collection_id=record.id, topic=topic, value=value)
        await self._leaders.call(Role.MASTER_SERVICE, order, call)
