"""Name lists: which collections there are, stored beside the files.

Put if absent under the revision at which the names were read; the highest counts, so a frozen
writer changes nothing.
"""

from headrace.binlog import manifest, paths
from headrace.binlog.manifest import NameList
from headrace.meta.api import MetaStore
from headrace.meta.keys import Keys
from headrace.model import codec
from headrace.model.errors import Conflict
from headrace.model.ids import CollectionId, Revision
from headrace.objects.api import ObjectStore


async def store_names(meta: MetaStore, keys: Keys, objects: ObjectStore) -> Revision:
    """Store the names as they are now, unless the highest list says the same; the revision at
    which they were read. `Unavailable`."""
    found = await meta.range(keys.names_prefix)
    names: dict[str, CollectionId] = {
        item.key.removeprefix(keys.names_prefix): int(item.value) for item in found.items
    }
    stored = await objects.list(paths.NAMES_PREFIX)
    if stored:
        data = await objects.get(stored[-1].key)
        highest = codec.decode(data, manifest.NameList, stored[-1].key)
        if highest.names == names or highest.revision >= found.revision:
            return found.revision
    made = NameList(revision=found.revision, names=dict(sorted(names.items())))
    try:
        await objects.put(paths.names_key(found.revision), [codec.encode(made)])
    except Conflict:
        return found.revision  # an earlier attempt whose answer was lost
    return found.revision
