"""What clients said of a collection and want to hear again: indexes, loads, properties.

**Owns** keeping it, forgetting it and reading it, by topic. **Does not own** what it means
(`indexes`, `loads`, `properties`) or where it stands: the master service writes it beside the
collection (`meta.keys.Keys.said`) and drops it with the collection.
"""

from collections.abc import Mapping

from headrace.meta.api import MetaStore
from headrace.meta.keys import Keys
from headrace.meta.records import CollectionRecord, Role
from headrace.proxy.call import Call
from headrace.proxy.cluster.leaders import Leaders
from headrace.rpc.messages import SetClientStateRequest


class Said:
    """Reads from the store itself, so what one proxy has kept every other one tells."""

    def __init__(self, leaders: Leaders, meta: MetaStore, keys: Keys) -> None:
        self._leaders = leaders
        self._meta = meta
        self._keys = keys

    async def keep(self, record: CollectionRecord, topic: str, value: bytes, call: Call) -> None:
        """Keep `value`, which is not empty, in place of what was kept under the topic before."""
        assert value, topic
        await self._set_client_state(record, topic, value, call)

    async def forget(self, record: CollectionRecord, topic: str, call: Call) -> None:
        """Of what is not kept it is done as well."""
        await self._set_client_state(record, topic, b"", call)

    async def below(self, record: CollectionRecord, topic: str) -> Mapping[str, bytes]:
        """All that is kept under topics that begin so: the rest of each, in order -> its value."""
        prefix = self._keys.client_state(record.id, topic)
        found = await self._meta.range(prefix)
        return {item.key.removeprefix(prefix): item.value for item in found.items}

    async def _set_client_state(
        self, record: CollectionRecord, topic: str, value: bytes, call: Call
    ) -> None:
        order = SetClientStateRequest(collection_id=record.id, topic=topic, value=value)
        await self._leaders.call(Role.MASTER_SERVICE, order, call)
