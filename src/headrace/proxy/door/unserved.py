"""Milvus's methods that are not served yet, and what to use instead of each."""

from collections.abc import Mapping

# Their answers have no Status: a gRPC error is all that can be said. pymilvus falls back to
# AddCollectionField when AlterCollectionSchema is unimplemented; the others are of replication.
WITHOUT_STATUS = frozenset(
    {"AlterCollectionSchema", "Dummy", "GetReplicateInfo", "CreateReplicateStream"}
)

INSTEAD: Mapping[str, str] = {
    method: instead
    for instead, methods in {
        "read rows with headrace.reader or `headrace scan`": (
            "Search HybridSearch Query CalcDistance"
        ),
        "create another collection with the schema that you want, and insert into it": (
            "AlterCollectionSchema AlterCollectionField AddCollectionField "
            "AddCollectionStructField AddCollectionFunction AlterCollectionFunction "
            "DropCollectionFunction"
        ),
        "drop the collection and create it anew": "TruncateCollection",
        "describe the collections one by one": "BatchDescribeCollection",
        "drop the index and create it anew": "AlterIndex",
        "use one collection a namespace": (
            "CreateNamespace DescribeNamespace ListNamespaces DropNamespace HasNamespace "
            "GetNamespaceStats"
        ),
        "use the database 'default'": "CreateDatabase DropDatabase AlterDatabase",
        "use the collection's own name": "CreateAlias DropAlias AlterAlias DescribeAlias",
        "set proxy.token, which every client then has to send": (
            "CreateCredential UpdateCredential DeleteCredential ListCredUsers CreateRole AlterRole "
            "DropRole OperateUserRole SelectRole SelectUser OperatePrivilege OperatePrivilegeV2 "
            "SelectGrant BackupRBAC RestoreRBAC CreatePrivilegeGroup DropPrivilegeGroup "
            "ListPrivilegeGroups OperatePrivilegeGroup AddUserTags DeleteUserTags GetUserTags "
            "ListUsersWithTag CreateRowPolicy DropRowPolicy ListRowPolicies"
        ),
        "nothing is loaded for queries here: leave the call out": (
            "GetQuerySegmentInfo GetReplicas LoadBalance "
            "CreateResourceGroup DropResourceGroup "
            "UpdateResourceGroups TransferNode TransferReplica ListResourceGroups "
            "DescribeResourceGroup Prewarm DescribePrewarmTask ListIndexedSegment "
            "DescribeSegmentIndexData"
        ),
        "leave the call out: nothing has to be compacted by hand": (
            "ManualCompaction GetCompactionState GetCompactionStateWithPlans"
        ),
        "load files with `headrace ingest`": (
            "Import GetImportState ListImportTasks BatchUpdateManifest"
        ),
        "copy the object store, which has everything": (
            "ReplicateMessage UpdateReplicateConfiguration GetReplicateConfiguration DumpMessages "
            "GetReplicateInfo CreateReplicateStream"
        ),
        "use the manifests in the object store: headrace.reader.open(..., at=...)": (
            "CreateSnapshot DropSnapshot ListSnapshots DescribeSnapshot RestoreSnapshot "
            "RestoreExternalSnapshot ExportSnapshot GetExportSnapshotState GetRestoreSnapshotState "
            "ListRestoreSnapshotJobs PinSnapshotData UnpinSnapshotData"
        ),
        "insert the rows into a collection": (
            "RefreshExternalCollection GetRefreshExternalCollectionProgress "
            "ListRefreshExternalCollectionJobs"
        ),
        "analyse texts before you insert them": (
            "RunAnalyzer AddFileResource RemoveFileResource ListFileResources "
            "ComputePhraseMatchSlop"
        ),
        "use `headrace status`, `headrace inspect` and the metrics endpoint": (
            "GetMetrics GetComponentStates RegisterLink Dummy"
        ),
    }.items()
    for method in methods.split()
}
