"""The older classes: what is not served yet says so, and names what to use instead.

Each line has the method of the protocol that is asked for, what it is asked of, the method of the
older classes, and arguments.
"""

import sys

from pymilvus import (
    AnnSearchRequest,
    Collection,
    CollectionSchema,
    DataType,
    FieldSchema,
    MilvusException,
    Partition,
    Role,
    RRFRanker,
    connections,
    db,
    utility,
)

NAME = "refused_orm"

connections.connect(uri=sys.argv[1])
utility.drop_collection(NAME)
fields = [
    FieldSchema("id", DataType.INT64, is_primary=True),
    FieldSchema("vector", DataType.FLOAT_VECTOR, dim=4),
]
collection = Collection(NAME, CollectionSchema(fields))
partition = Partition(collection, "part")
role = Role("role")
vector = [[0.5] * 4]
request = AnnSearchRequest(vector, "vector", {"metric_type": "L2"}, 3)

CALLS = [
    # reading
    ("Search", collection, "search", (vector, "vector", {"metric_type": "L2"}, 3)),
    ("Search", collection, "search_iterator", (vector, "vector", {"metric_type": "L2"}, 3)),
    ("HybridSearch", collection, "hybrid_search", ([request], RRFRanker(), 3)),
    ("Query", collection, "query", ("id > 0",)),
    ("Query", collection, "query_iterator", ()),
    ("Search", partition, "search", (vector, "vector", {"metric_type": "L2"}, 3)),
    ("HybridSearch", partition, "hybrid_search", ([request], RRFRanker(), 3)),
    ("Query", partition, "query", ("id > 0",)),
    # the collection
    ("TruncateCollection", collection, "truncate", ()),
    ("TruncateCollection", utility, "truncate_collection", (NAME,)),
    ("AlterIndex", collection, "alter_index", ("vector", {"mmap.enabled": True})),
    ("ManualCompaction", collection, "compact", ()),
    ("GetReplicas", collection, "get_replicas", ()),
    ("GetReplicas", partition, "get_replicas", ()),
    ("CreateAlias", utility, "create_alias", (NAME, "alias")),
    ("AlterAlias", utility, "alter_alias", (NAME, "alias")),
    ("DropAlias", utility, "drop_alias", ("alias",)),
    ("Import", utility, "do_bulk_insert", (NAME, ["rows.parquet"])),
    ("GetImportState", utility, "get_bulk_insert_state", (1,)),
    ("ListImportTasks", utility, "list_bulk_insert_tasks", ()),
    # databases
    ("CreateDatabase", db, "create_database", ("other",)),
    ("DropDatabase", db, "drop_database", ("other",)),
    ("AlterDatabase", db, "set_properties", ("default", {"x": "y"})),
    # query nodes
    ("GetQuerySegmentInfo", utility, "get_query_segment_info", (NAME,)),
    ("LoadBalance", utility, "load_balance", (NAME, 1)),
    ("CreateResourceGroup", utility, "create_resource_group", ("group",)),
    ("DropResourceGroup", utility, "drop_resource_group", ("group",)),
    ("DescribeResourceGroup", utility, "describe_resource_group", ("group",)),
    ("UpdateResourceGroups", utility, "update_resource_groups", ({},)),
    ("ListResourceGroups", utility, "list_resource_groups", ()),
    ("TransferNode", utility, "transfer_node", ("one", "two", 1)),
    ("TransferReplica", utility, "transfer_replica", ("one", "two", NAME, 1)),
    # users
    ("CreateCredential", utility, "create_user", ("user", "secret99")),
    ("DeleteCredential", utility, "delete_user", ("user",)),
    ("UpdateCredential", utility, "reset_password", ("user", "secret99", "secret98")),
    ("UpdateCredential", utility, "update_password", ("user", "secret99", "secret98")),
    ("ListCredUsers", utility, "list_usernames", ()),
    ("SelectUser", utility, "list_user", ("user", False)),
    ("SelectUser", utility, "list_users", (False,)),
    ("SelectRole", utility, "list_roles", (False,)),
    ("CreateRole", role, "create", ()),
    ("DropRole", role, "drop", ()),
    ("SelectRole", role, "is_exist", ()),
    ("SelectRole", role, "get_users", ()),
    ("OperateUserRole", role, "add_user", ("user",)),
    ("OperateUserRole", role, "remove_user", ("user",)),
    ("OperatePrivilege", role, "grant", ("Global", "*", "Insert")),
    ("OperatePrivilege", role, "revoke", ("Global", "*", "Insert")),
    ("OperatePrivilegeV2", role, "grant_v2", ("Insert", "*")),
    ("OperatePrivilegeV2", role, "revoke_v2", ("Insert", "*")),
    ("SelectGrant", role, "list_grant", ("Global", "*")),
    ("SelectGrant", role, "list_grants", ()),
    ("CreatePrivilegeGroup", role, "create_privilege_group", ("group",)),
    ("DropPrivilegeGroup", role, "drop_privilege_group", ("group",)),
    ("ListPrivilegeGroups", role, "list_privilege_groups", ()),
    ("OperatePrivilegeGroup", role, "add_privileges_to_group", ("group", ["Insert"])),
    ("OperatePrivilegeGroup", role, "remove_privileges_from_group", ("group", ["Insert"])),
]

for protocol, owner, method, arguments in CALLS:
    try:
        getattr(owner, method)(*arguments)
    except MilvusException as error:
        assert f"{protocol} is not served yet; " in error.message, f"{method}: {error.message}"
    else:
        raise AssertionError(f"{method} was not refused")

# These ask about a compaction that `compact` has begun, and it begins none.
for method in ("get_compaction_state", "get_compaction_plans", "wait_for_compaction_completed"):
    try:
        getattr(collection, method)()
    except AttributeError as error:
        assert "compaction_id" in str(error)
    else:
        raise AssertionError(f"{method} was not refused")
connections.disconnect("default")
