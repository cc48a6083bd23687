"""The front door's parts put together, with no socket and no session.

`service` is the process around them and `frontdoor` the transport. A simulation calls `methods`
directly.
"""

from headrace.proxy.accepted.client_state import ClientState
from headrace.proxy.accepted.indexes import Indexes
from headrace.proxy.accepted.loads import Loads
from headrace.proxy.cluster.catalog import Catalog
from headrace.proxy.cluster.known_time import KnownTime
from headrace.proxy.cluster.leaders import Leaders
from headrace.proxy.cluster.sequencers import SequencerPort, Sequencing
from headrace.proxy.collections.ddl import DdlMethods
from headrace.proxy.collections.describe import Describe
from headrace.proxy.collections.flush import Flush
from headrace.proxy.collections.properties import Properties
from headrace.proxy.collections.statistics import Statistics
from headrace.proxy.door.connections import Connections
from headrace.proxy.door.methods import Method, Methods
from headrace.proxy.settings import ProxySurroundings
from headrace.proxy.write.automatic_keys import AllAutomaticKeys
from headrace.proxy.write.writes import WriteContext, Writes
from headrace.runtime.supervise import TaskGroup


class Assembly:
    """All that answers a client."""

    def __init__(self, around: ProxySurroundings, sequencers: SequencerPort) -> None:
        self.catalog = Catalog(around)
        self.leaders = Leaders(around)
        self.sequencing = Sequencing(around, sequencers, self.leaders)
        self.known = KnownTime(around, self.leaders)
        self.flush = Flush(around, self.catalog, self.leaders, self.sequencing, self.known)
        self.served = self._served(around)
        self.methods = Methods(self.served, around.settings, around.telemetry)

    async def found(self) -> None:
        """Return when both services have a leader and the copies are there."""
        await self.leaders.found()
        await self.catalog.listed()

    def follow(self, group: TaskGroup) -> None:
        """Keep the copies of the meta store for as long as the group lives."""
        group.spawn("collections", self.catalog.run(), must_not_end=True)
        group.spawn("leaders", self.leaders.run(), must_not_end=True)
        group.spawn("sequencers", self.sequencing.run(), must_not_end=True)

    def _served(self, around: ProxySurroundings) -> dict[str, Method]:
        """Milvus's methods that are served, by name."""
        state = ClientState(around, self.leaders)
        connections = Connections(self.leaders, self.known, around.host)
        statistics = Statistics(self.catalog, self.leaders)
        properties = Properties(self.catalog, state)
        describe = Describe(self.catalog, properties)
        ddl = DdlMethods(self.catalog, self.leaders, properties, around.settings)
        indexes = Indexes(self.catalog, statistics, state)
        loads = Loads(self.catalog, state)
        flush = self.flush
        automatic = AllAutomaticKeys(around, self.leaders)
        writes = Writes(WriteContext(around, self.catalog, self.sequencing, self.known, automatic))
        return {
            "Connect": connections.connect,
            "GetVersion": connections.get_version,
            "CheckHealth": connections.check_health,
            "AllocTimestamp": connections.alloc_timestamp,
            "CreateCollection": ddl.create_collection,
            "DropCollection": ddl.drop_collection,
            "RenameCollection": ddl.rename_collection,
            "AlterCollection": properties.alter_collection,
            "CreatePartition": ddl.create_partition,
            "DropPartition": ddl.drop_partition,
            "HasCollection": describe.has_collection,
            "DescribeCollection": describe.describe_collection,
            "ShowCollections": describe.show_collections,
            "HasPartition": describe.has_partition,
            "ShowPartitions": describe.show_partitions,
            "ListDatabases": describe.list_databases,
            "DescribeDatabase": describe.describe_database,
            "ListAliases": describe.list_aliases,
            "Insert": writes.insert,
            "Upsert": writes.upsert,
            "Delete": writes.delete,
            "Flush": flush.flush,
            "GetFlushState": flush.get_flush_state,
            "FlushAll": flush.flush_all,
            "GetFlushAllState": flush.get_flush_all_state,
            "GetCollectionStatistics": statistics.get_collection_statistics,
            "GetPartitionStatistics": statistics.get_partition_statistics,
            "GetPersistentSegmentInfo": statistics.get_persistent_segment_info,
            "CreateIndex": indexes.create_index,
            "DescribeIndex": indexes.describe_index,
            "GetIndexStatistics": indexes.get_index_statistics,
            "GetIndexState": indexes.get_index_state,
            "GetIndexBuildProgress": indexes.get_index_build_progress,
            "DropIndex": indexes.drop_index,
            "LoadCollection": loads.load_collection,
            "ReleaseCollection": loads.release_collection,
            "LoadPartitions": loads.load_partitions,
            "ReleasePartitions": loads.release_partitions,
            "GetLoadingProgress": loads.get_loading_progress,
            "GetLoadState": loads.get_load_state,
        }
