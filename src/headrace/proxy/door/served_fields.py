"""Which fields of a request are served; any other field that is set is refused by name.

A field that is set and not known here would be ignored, and the client would believe that it did
something: a namespace, a partial update, a TTL. So the walk covers every field of a message, and
those of its parts, and a field that a newer protocol adds is refused until it stands in the table;
one that even the generated code does not know is refused by its number.
"""

from collections.abc import Mapping

from google.protobuf.unknown_fields import UnknownFieldSet

from headrace.proxy.errors import Refusal
from headrace.proxy.milvus import Message

_NAMED = "base db_name collection_name"
_PARTITION = f"{_NAMED} partition_name"
_PARTITIONS = f"{_NAMED} partition_names"
_ROWS = f"{_PARTITION} fields_data num_rows schema_timestamp"

# Served fields by message. What Milvus's own roles use to address each other (MsgBase) says
# nothing about the request, its replication marks aside.
SERVED: Mapping[str, frozenset[str]] = {
    message: frozenset(fields.split())
    for message, fields in {
        "MsgBase": "msg_type msgID timestamp sourceID targetID",
        # connections
        "ConnectRequest": "base client_info",
        "GetVersionRequest": "",
        "CheckHealthRequest": "",
        "AllocTimestampRequest": "base",
        # collections
        "CreateCollectionRequest": (
            f"{_NAMED} schema shards_num consistency_level properties num_partitions"
        ),
        "CollectionSchema": (
            "name description autoID fields enable_dynamic_field properties dbName"
        ),
        "FieldSchema": (
            "fieldID name is_primary_key description data_type type_params autoID element_type "
            "default_value nullable is_partition_key"
        ),
        "AlterCollectionRequest": f"{_NAMED} collectionID properties delete_keys",
        "DropCollectionRequest": _NAMED,
        "RenameCollectionRequest": "base db_name oldName newName newDBName",
        "HasCollectionRequest": _NAMED,
        "DescribeCollectionRequest": f"{_NAMED} collectionID",
        "ShowCollectionsRequest": "base db_name collection_names",
        "CreatePartitionRequest": _PARTITION,
        "DropPartitionRequest": _PARTITION,
        "GetPartitionStatisticsRequest": _PARTITION,
        "HasPartitionRequest": _PARTITION,
        "ShowPartitionsRequest": f"{_PARTITIONS} collectionID",
        "ListDatabasesRequest": "base",
        "DescribeDatabaseRequest": "base db_name",
        "ListAliasesRequest": _NAMED,
        # rows
        "InsertRequest": _ROWS,
        "UpsertRequest": _ROWS,
        "FieldData": "type field_name scalars vectors field_id is_dynamic valid_data",
        # A delete by key reads nothing, so every consistency level is kept.
        "DeleteRequest": f"{_PARTITION} expr consistency_level expr_template_values",
        # flush and statistics
        "FlushRequest": "base db_name collection_names",
        "GetFlushStateRequest": "segmentIDs flush_ts db_name collection_name",
        "FlushAllRequest": "base db_name",
        "GetFlushAllStateRequest": "base flush_all_ts db_name",
        "GetCollectionStatisticsRequest": _NAMED,
        "GetPersistentSegmentInfoRequest": "base dbName collectionName states",
        # indexes and loads: which are only stored and answered, so they keep any parameter
        "CreateIndexRequest": f"{_NAMED} field_name extra_params index_name",
        "DescribeIndexRequest": f"{_NAMED} field_name index_name timestamp",
        "GetIndexStatisticsRequest": f"{_NAMED} index_name timestamp",
        "GetIndexStateRequest": f"{_NAMED} field_name index_name",
        "GetIndexBuildProgressRequest": f"{_NAMED} field_name index_name",
        "DropIndexRequest": f"{_NAMED} field_name index_name",
        "LoadCollectionRequest": f"{_NAMED} replica_number refresh",
        "ReleaseCollectionRequest": _NAMED,
        "LoadPartitionsRequest": f"{_PARTITIONS} replica_number refresh",
        "ReleasePartitionsRequest": _PARTITIONS,
        "GetLoadingProgressRequest": _PARTITIONS,
        "GetLoadStateRequest": _PARTITIONS,
    }.items()
}

# What to do instead, where there is something better than leaving it out.
INSTEAD: Mapping[str, str] = {
    "namespace": "use one collection a namespace",
    "partial_update": "upsert whole rows",
    "field_ops": "upsert whole rows",
    "functions": "compute the output fields before you insert",
    "hash_keys": "leave it out: rows are hashed by their keys",
}


def refuse_unserved(message: Message) -> None:
    """Raise `Invalid` that names the first field that is set and not served.

    Looks into those parts of the message, alone or repeated, whose kinds stand in the table.
    """
    kind = message.DESCRIPTOR.name
    served = SERVED[kind]
    for unknown in UnknownFieldSet(message):
        number = unknown.field_number
        raise Refusal.FIELD_UNKNOWN(at=kind, message=kind, number=number)
    for descriptor, value in message.ListFields():
        name = descriptor.name
        if name not in served:
            instead = INSTEAD.get(name, "leave it out")
            raise Refusal.FIELD_NOT_SERVED(at=name, field=f"{kind}.{name}", instead=instead)
        if descriptor.message_type is not None and descriptor.message_type.name in SERVED:
            for part in value if descriptor.is_repeated else (value,):
                refuse_unserved(part)
