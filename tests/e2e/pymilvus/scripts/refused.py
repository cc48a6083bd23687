"""What is not served yet says so, in a sentence that names what to use instead.

Each line has the method of the protocol that is asked for, the client's method, and arguments.
"""

import asyncio
import sys

import grpc
from pymilvus import (
    AsyncMilvusClient,
    DataType,
    FieldSchema,
    Function,
    FunctionType,
    MilvusClient,
    MilvusException,
)

NAME = "refused"
FUNCTION = Function("bm25", FunctionType.BM25, ["text"], ["sparse"])
STRUCT = MilvusClient.create_struct_field_schema()
STRUCT.add_field("part", DataType.INT64)
FIELD = FieldSchema("sparse", DataType.SPARSE_FLOAT_VECTOR, is_function_output=True)
INDEX = MilvusClient.prepare_index_params()
INDEX.add_index("sparse", index_type="SPARSE_INVERTED_INDEX", metric_type="BM25")
VECTOR = [[0.5] * 4]

CALLS = [
    # reading
    ("Search", "search", (NAME, VECTOR)),
    ("Search", "search_iterator", (NAME, VECTOR, 3)),
    ("HybridSearch", "hybrid_search", (NAME, [], None)),
    ("Query", "query", (NAME, "id > 0")),
    ("Query", "query_iterator", (NAME,)),
    ("Query", "get", (NAME, [1])),
    # the schema
    ("AddCollectionField", "add_collection_field", (NAME, "more", DataType.INT64)),
    ("AlterCollectionField", "alter_collection_field", (NAME, "vector", {"mmap.enabled": True})),
    ("AddCollectionStructField", "add_collection_struct_field", (NAME, "parts", STRUCT, 8)),
    ("AlterCollectionSchema", "drop_collection_field", (NAME, "vector")),
    ("AlterCollectionSchema", "add_function_field", (NAME, FIELD, FUNCTION, INDEX)),
    ("AlterCollectionSchema", "drop_function_field", (NAME, "bm25")),
    ("AddCollectionFunction", "add_collection_function", (NAME, FUNCTION)),
    ("AlterCollectionFunction", "alter_collection_function", (NAME, "bm25", FUNCTION)),
    ("DropCollectionFunction", "drop_collection_function", (NAME, "bm25")),
    ("TruncateCollection", "truncate_collection", (NAME,)),
    # names and databases
    ("CreateAlias", "create_alias", (NAME, "alias")),
    ("AlterAlias", "alter_alias", (NAME, "alias")),
    ("DropAlias", "drop_alias", ("alias",)),
    ("DescribeAlias", "describe_alias", ("alias",)),
    ("CreateDatabase", "create_database", ("other",)),
    ("DropDatabase", "drop_database", ("other",)),
    ("AlterDatabase", "alter_database_properties", ("default", {"x": "y"})),
    ("AlterDatabase", "drop_database_properties", ("default", ["x"])),
    # indexes and loads
    ("AlterIndex", "alter_index_properties", (NAME, "vector", {"mmap.enabled": True})),
    ("AlterIndex", "drop_index_properties", (NAME, "vector", ["mmap.enabled"])),
    ("GetReplicas", "describe_replica", (NAME,)),
    ("GetQuerySegmentInfo", "list_loaded_segments", (NAME,)),
    ("CreateResourceGroup", "create_resource_group", ("group",)),
    ("DropResourceGroup", "drop_resource_group", ("group",)),
    ("UpdateResourceGroups", "update_resource_groups", ({},)),
    ("DescribeResourceGroup", "describe_resource_group", ("group",)),
    ("ListResourceGroups", "list_resource_groups", ()),
    ("TransferReplica", "transfer_replica", ("one", "two", NAME, 1)),
    # compaction
    ("ManualCompaction", "compact", (NAME,)),
    ("ManualCompaction", "optimize", (NAME,)),
    ("GetCompactionState", "get_compaction_state", (1,)),
    ("GetCompactionStateWithPlans", "get_compaction_plans", (1,)),
    ("GetCompactionStateWithPlans", "list_compaction_tasks", (NAME,)),
    # snapshots, files and tables of others
    ("CreateSnapshot", "create_snapshot", ("snapshot", NAME)),
    ("DropSnapshot", "drop_snapshot", ("snapshot", NAME)),
    ("ListSnapshots", "list_snapshots", (NAME,)),
    ("DescribeSnapshot", "describe_snapshot", ("snapshot", NAME)),
    ("RestoreSnapshot", "restore_snapshot", ("snapshot", NAME, "other")),
    ("GetRestoreSnapshotState", "get_restore_snapshot_state", (1,)),
    ("ListRestoreSnapshotJobs", "list_restore_snapshot_jobs", ()),
    ("PinSnapshotData", "pin_snapshot_data", ("snapshot", NAME)),
    ("UnpinSnapshotData", "unpin_snapshot_data", (1,)),
    ("AddFileResource", "add_file_resource", ("words", "words.txt")),
    ("RemoveFileResource", "remove_file_resource", ("words",)),
    ("ListFileResources", "list_file_resources", ()),
    ("RefreshExternalCollection", "refresh_external_collection", (NAME,)),
    ("GetRefreshExternalCollectionProgress", "get_refresh_external_collection_progress", (1,)),
    ("ListRefreshExternalCollectionJobs", "list_refresh_external_collection_jobs", (NAME,)),
    # users
    ("CreateCredential", "create_user", ("user", "secret99")),
    ("DeleteCredential", "drop_user", ("user",)),
    ("UpdateCredential", "update_password", ("user", "secret99", "secret98")),
    ("ListCredUsers", "list_users", ()),
    ("SelectUser", "describe_user", ("user",)),
    ("UpdateCredential", "update_user", ("user", "words")),
    ("AlterRole", "alter_role", ("role", "words")),
    ("CreateRole", "create_role", ("role",)),
    ("DropRole", "drop_role", ("role",)),
    ("SelectRole", "list_roles", ()),
    ("SelectRole", "describe_role", ("role",)),
    ("OperateUserRole", "grant_role", ("user", "role")),
    ("OperateUserRole", "revoke_role", ("user", "role")),
    ("OperatePrivilege", "grant_privilege", ("role", "Global", "Insert", "*")),
    ("OperatePrivilege", "revoke_privilege", ("role", "Global", "Insert", "*")),
    ("OperatePrivilegeV2", "grant_privilege_v2", ("role", "Insert", "*")),
    ("OperatePrivilegeV2", "revoke_privilege_v2", ("role", "Insert", "*")),
    ("CreatePrivilegeGroup", "create_privilege_group", ("group",)),
    ("DropPrivilegeGroup", "drop_privilege_group", ("group",)),
    ("ListPrivilegeGroups", "list_privilege_groups", ()),
    ("OperatePrivilegeGroup", "add_privileges_to_group", ("group", ["Insert"])),
    ("OperatePrivilegeGroup", "remove_privileges_from_group", ("group", ["Insert"])),
    # texts
    ("RunAnalyzer", "run_analyzer", (["a text"],)),
    # replication
    ("UpdateReplicateConfiguration", "update_replicate_configuration", ([], [])),
    ("GetReplicateConfiguration", "get_replicate_configuration", ()),
    ("GetReplicateInfo", "get_replicate_info", ("cluster", "channel")),
    ("DumpMessages", "dump_messages", ("channel", {"id": "1", "wal_name": "RocksMQ"})),
]


# pymilvus itself forgot these in its asynchronous client.
FORGOTTEN = {"get_compaction_plans", "update_replicate_configuration"}


def check(protocol, method, error):
    said = str(error)
    assert f"{protocol} is not served yet; " in said, f"{method}: {said}"


client = MilvusClient(uri=sys.argv[1])
client.drop_collection(NAME)
client.create_collection(NAME, dimension=4)
for protocol, method, arguments in CALLS:
    if not hasattr(client, method):
        continue  # of a newer pymilvus than this one
    try:
        answer = getattr(client, method)(*arguments)
        if method == "dump_messages":
            list(answer)
    except (MilvusException, grpc.RpcError) as error:
        check(protocol, method, error)
    else:
        raise AssertionError(f"{method} was not refused")
if hasattr(client, "session"):  # pymilvus 3: reads from one cluster of several
    try:
        client.session("cluster").query(NAME, "id > 0")
    except MilvusException as error:
        check("Query", "session", error)
    else:
        raise AssertionError("a session was not refused")
client.close()


async def main():
    client = AsyncMilvusClient(uri=sys.argv[1])
    for protocol, method, arguments in CALLS:
        if not hasattr(client, method) or method in FORGOTTEN:
            continue
        try:
            answer = getattr(client, method)(*arguments)
            if method == "dump_messages":
                await anext(answer)
            else:
                await answer
        except (MilvusException, grpc.RpcError) as error:
            check(protocol, method, error)
        else:
            raise AssertionError(f"{method} was not refused")
    await client.close()


asyncio.run(main())
