"""Milvus's methods that are not served yet, and what to use instead of each."""

from collections.abc import Mapping

# Their answers have no Status: a gRPC error is all that can be said. pymilvus falls back to
# AddCollectionField when AlterCollectionSchema is unimplemented; the others are of replication.
WITHOUT_STATUS = frozenset(
    {"AlterCollectionSchema", "Dummy", "GetReplicateInfo", "CreateReplicateStream"}
)

_READER = "read rows with headrace.reader or `headrace scan`"
_ONE_SCHEMA = "create another collection with the schema that you want, and insert into it"
_NAMESPACES = "use one collection a namespace"
_ONE_DATABASE = "use the database 'default'"
_COLLECTION_NAME = "use the collection's own name"
_USERS = "set proxy.token, which every client then has to send"
_NO_QUERY_NODES = "nothing is loaded for queries here: leave the call out"
_COMPACTION = "leave the call out: nothing has to be compacted by hand"
_IMPORT = "load files with `headrace ingest`"
_REPLICATION = "copy the object store, which has everything"
_SNAPSHOTS = "use the manifests in the object store: headrace.reader.open(..., at=...)"
_EXTERNAL = "insert the rows into a collection"
_TEXT = "analyse texts before you insert them"
_OBSERVE = "use `headrace status`, `headrace inspect` and the metrics endpoint"

INSTEAD: Mapping[str, str] = {
    method: instead
    for instead, methods in {
        _READER: "Search HybridSearch Query CalcDistance",
        _ONE_SCHEMA: (
            "AlterCollectionSchema AlterCollectionField AddCollectionField "
            "AddCollectionStructField AddCollectionFunction AlterCollectionFunction "
            "DropCollectionFunction"
        ),
        "drop the collection and create it anew": "TruncateCollection",
        "describe the collections one by one": "BatchDescribeCollection",
        "drop the index and create it anew": "AlterIndex",
        _NAMESPACES: (
            "CreateNamespace DescribeNamespace ListNamespaces DropNamespace HasNamespace "
            "GetNamespaceStats"
        ),
        _ONE_DATABASE: "CreateDatabase DropDatabase AlterDatabase",
        _COLLECTION_NAME: "CreateAlias DropAlias AlterAlias DescribeAlias",
        _USERS: (
            "CreateCredential UpdateCredential DeleteCredential ListCredUsers CreateRole AlterRole "
            "DropRole OperateUserRole SelectRole SelectUser OperatePrivilege OperatePrivilegeV2 "
            "SelectGrant BackupRBAC RestoreRBAC CreatePrivilegeGroup DropPrivilegeGroup "
            "ListPrivilegeGroups OperatePrivilegeGroup AddUserTags DeleteUserTags GetUserTags "
            "ListUsersWithTag CreateRowPolicy DropRowPolicy ListRowPolicies"
        ),
        _NO_QUERY_NODES: (
            "GetQuerySegmentInfo GetReplicas LoadBalance "
            "CreateResourceGroup DropResourceGroup "
            "UpdateResourceGroups TransferNode TransferReplica ListResourceGroups "
            "DescribeResourceGroup Prewarm DescribePrewarmTask ListIndexedSegment "
            "DescribeSegmentIndexData"
        ),
        _COMPACTION: "ManualCompaction GetCompactionState GetCompactionStateWithPlans",
        _IMPORT: "Import GetImportState ListImportTasks BatchUpdateManifest",
        _REPLICATION: (
            "ReplicateMessage UpdateReplicateConfiguration GetReplicateConfiguration DumpMessages "
            "GetReplicateInfo CreateReplicateStream"
        ),
        _SNAPSHOTS: (
            "CreateSnapshot DropSnapshot ListSnapshots DescribeSnapshot RestoreSnapshot "
            "RestoreExternalSnapshot ExportSnapshot GetExportSnapshotState GetRestoreSnapshotState "
            "ListRestoreSnapshotJobs PinSnapshotData UnpinSnapshotData"
        ),
        _EXTERNAL: (
            "RefreshExternalCollection GetRefreshExternalCollectionProgress "
            "ListRefreshExternalCollectionJobs"
        ),
        _TEXT: (
            "RunAnalyzer AddFileResource RemoveFileResource ListFileResources "
            "ComputePhraseMatchSlop"
        ),
        _OBSERVE: "GetMetrics GetComponentStates RegisterLink Dummy",
    }.items()
    for method in methods.split()
}
