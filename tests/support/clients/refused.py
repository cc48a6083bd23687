"""How each sentence of the front door is met by a client: one case for every line of the table.

**Owns** the cases that need a cluster in order. **Does not own** those that need one in trouble
(`tests/e2e/pymilvus/test_errors.py`).

Where pymilvus itself would refuse the mistake, or never makes it, the request is written out and
sent with pymilvus's own stub, and its answer is judged by pymilvus.
"""

import random
from collections.abc import Callable, Mapping
from typing import Any

import grpc
from pymilvus import DataType, Function, FunctionType, MilvusClient
from pymilvus.client.utils import check_status

from headrace.model.refusals import Refusal
from headrace.proxy.milvus import Message, common_pb, pb, schema_pb
from support.clients.raw import raw
from support.world.proxy import insert_request, simple_schema

REQUEST_BYTES_MAX = 2_000_000
ENTRY_BYTES_MAX = 500_000
SETTINGS = (
    f"proxy.request_bytes_max={REQUEST_BYTES_MAX}",
    f"proxy.entry_bytes_max={ENTRY_BYTES_MAX}",
)
KIND = schema_pb.DataType.Value
V = [0.5] * 4


class Ground:
    """A client and its collections: `plain`, `rich`, `auto`, `parted`, `defaults`."""

    def __init__(self, client: MilvusClient, channel: grpc.Channel) -> None:
        self.client = client
        self.channel = channel
        client.create_collection(
            "plain", schema=self.schema(("id", DataType.INT64, {"is_primary": True}))
        )
        rich = self.schema(
            ("id", DataType.INT64, {"is_primary": True}),
            ("i8", DataType.INT8, {"nullable": True}),
            ("t", DataType.VARCHAR, {"max_length": 8, "nullable": True}),
            ("a", DataType.ARRAY, _ARRAY | {"nullable": True}),
            ("j", DataType.JSON, {"nullable": True}),
        )
        rich.add_field("s", DataType.SPARSE_FLOAT_VECTOR)
        client.create_collection("rich", schema=rich)
        automatic = {"is_primary": True, "auto_id": True}
        client.create_collection("auto", schema=self.schema(("id", DataType.INT64, automatic)))
        parted = self.schema(
            ("id", DataType.INT64, {"is_primary": True}),
            ("p", DataType.INT64, {"is_partition_key": True}),
        )
        client.create_collection("parted", schema=parted, num_partitions=4)
        long = {"max_length": 65_535, "default_value": "x" * 60_000}
        client.create_collection(
            "defaults",
            schema=self.schema(
                ("id", DataType.INT64, {"is_primary": True}), ("t", DataType.VARCHAR, long)
            ),
        )

    def schema(self, *fields: tuple[str, DataType, Mapping[str, Any]]) -> Any:
        """A schema with these fields, a vector `v` of dim 4 and the dynamic field."""
        made = MilvusClient.create_schema(enable_dynamic_field=True)
        for name, kind, options in fields:
            made.add_field(name, kind, **options)
        made.add_field("v", DataType.FLOAT_VECTOR, dim=4)
        return made

    def create(self, *fields: tuple[str, DataType, Mapping[str, Any]], **options: Any) -> None:
        """Ask for a collection that is not there."""
        key = ("id", DataType.INT64, {"is_primary": True})
        self.client.create_collection("other", schema=self.schema(key, *fields), **options)

    def raw_create(self, change: Callable[[Message], object], **fields: Any) -> None:
        """The same as a message, with its schema changed."""
        schema = simple_schema()
        change(schema)
        request = pb.CreateCollectionRequest(collection_name="other", **fields)
        request.schema = schema.SerializeToString()
        self.raw("CreateCollection", request)

    def raw_insert(
        self,
        change: Callable[[Message], object] = lambda request: None,
        *,
        name: str = "plain",
        **options: Any,
    ) -> None:
        """An Insert of three rows as a message, changed."""
        request = insert_request(name, [1, 2, 3])
        change(request)
        self.raw("Insert", request, **options)

    def raw(self, method: str, request: Message, **headers: str) -> None:
        """A message as it is; its answer judged by pymilvus."""
        sent = [(name.replace("_", "-"), value) for name, value in headers.items()]
        answer = raw(self.channel, method, request, sent)
        check_status(answer if isinstance(answer, common_pb.Status) else answer.status)

    def insert(self, name: str = "plain", **values: Any) -> None:
        """One row with these values beside its key and vector."""
        self.client.insert(name, [{"id": 1, "v": V} | values])

    def rich(self, **values: Any) -> None:
        """One row into `rich`."""
        self.insert("rich", **({"s": {1: 0.5}} | values))


_ARRAY = {"element_type": DataType.INT64, "max_capacity": 2}


def column(request: Message, name: str, kind: str) -> Message:
    """One more column of a request."""
    return request.fields_data.add(field_name=name, type=KIND(kind))


def sparse(pairs: bytes) -> Callable[[Message], object]:
    """A column of sparse vectors, all the same."""
    return lambda r: column(
        r, "s", "SparseFloatVector"
    ).vectors.sparse_float_vector.contents.extend([pairs] * 3)


def documents(*texts: bytes, name: str = "j") -> Callable[[Message], object]:
    """A column of JSON, beside sparse vectors."""

    def change(request: Message) -> None:
        if name == "j":
            sparse(b"\0" * 8)(request)
        item = column(request, name, "JSON")
        item.is_dynamic = name == "$meta"
        item.scalars.json_data.data.extend(texts)

    return change


def add(name: str, kind: str, parameters: Mapping[str, str] = {}, **options: Any) -> Any:
    """One more field of a schema, as a change."""
    pairs = [common_pb.KeyValuePair(key=k, value=v) for k, v in parameters.items()]
    return lambda schema: schema.fields.add(
        name=name, data_type=KIND(kind), type_params=pairs, **options
    )


def _function(ground: Ground) -> None:
    schema = ground.schema(("id", DataType.INT64, {"is_primary": True}))
    schema.add_field("t", DataType.VARCHAR, max_length=9, enable_analyzer=True)
    schema.add_field("s", DataType.SPARSE_FLOAT_VECTOR)
    schema.add_function(
        Function("f", FunctionType.BM25, input_field_names=["t"], output_field_names=["s"])
    )
    ground.client.create_collection("other", schema=schema)


def _many_partitions(ground: Ground) -> None:
    for number in range(1024):
        ground.raw(
            "CreatePartition",
            pb.CreatePartitionRequest(collection_name="auto", partition_name=f"p{number}"),
        )


def _index(ground: Ground, **parameters: str) -> None:
    pairs = [common_pb.KeyValuePair(key=k, value=v) for k, v in parameters.items()]
    request = pb.CreateIndexRequest(collection_name="plain", field_name="v", extra_params=pairs)
    ground.raw("CreateIndex", request)


def _another_index(ground: Ground) -> None:
    for nlist in ("16", "32"):
        _index(ground, index_type="IVF_FLAT", metric_type="L2", nlist=nlist)


def _key_again(ground: Ground) -> None:
    key = f"headrace:{random.getrandbits(64)}"
    for number in (1, 2):
        ground.client.insert("plain", [{"id": number, "v": V}], client_request_id=key)


def _clear_key(request: Message) -> None:
    del request.fields_data[0]


CASES: Mapping[Refusal, Callable[[Ground], object]] = {
    # calls
    Refusal.NOT_SERVED: lambda g: g.client.search("plain", data=[V]),
    Refusal.NOT_A_MESSAGE: lambda g: g.raw(
        "CreateCollection", pb.CreateCollectionRequest(collection_name="other", schema=b"\xff\xff")
    ),
    Refusal.TOO_LARGE: lambda g: g.insert(t="x" * (REQUEST_BYTES_MAX + 100)),
    Refusal.FIELD_NOT_SERVED: lambda g: g.client.upsert(
        "plain", [{"id": 1, "v": V}], partial_update=True
    ),
    Refusal.FIELD_UNKNOWN: lambda g: g.raw_insert(lambda r: r.MergeFromString(b"\xf8\x3f\x01")),
    Refusal.HEADER_BAD: lambda g: g.client.insert(
        "plain", [{"id": 1, "v": V}], client_request_id="headrace:" + "k" * 300
    ),
    # names
    Refusal.NAME_MISSING: lambda g: g.raw("CreateCollection", pb.CreateCollectionRequest()),
    Refusal.NAME_BAD: lambda g: g.client.create_collection("no name", dimension=4),
    Refusal.NAME_TAKEN: lambda g: g.client.rename_collection("plain", "rich"),
    Refusal.COLLECTION_NOT_FOUND: lambda g: g.client.describe_collection("none"),
    Refusal.COLLECTION_ID_NOT_FOUND: lambda g: g.raw(
        "DescribeCollection", pb.DescribeCollectionRequest(collectionID=1)
    ),
    Refusal.DATABASE_NOT_FOUND: lambda g: g.raw(
        "ShowCollections", pb.ShowCollectionsRequest(db_name="other")
    ),
    Refusal.PARTITION_NOT_FOUND: lambda g: g.client.insert(
        "plain", [{"id": 1, "v": V}], partition_name="none"
    ),
    Refusal.INDEX_NOT_FOUND: lambda g: g.raw(
        "DescribeIndex", pb.DescribeIndexRequest(collection_name="rich", index_name="none")
    ),
    # collections
    Refusal.COLLECTION_DIFFERS: lambda g: g.client.create_collection("plain", dimension=7),
    Refusal.COLLECTION_NOT_LOADED: lambda g: g.raw(
        "GetLoadingProgress", pb.GetLoadingProgressRequest(collection_name="rich")
    ),
    Refusal.SCHEMA_MISMATCH: lambda g: g.raw_insert(lambda r: setattr(r, "schema_timestamp", 1)),
    Refusal.SCHEMA_NAME: lambda g: g.raw_create(lambda s: setattr(s, "name", "another")),
    Refusal.SCHEMA_LARGE: lambda g: g.raw_create(
        lambda s: setattr(s, "description", "x" * 400_000)
    ),
    Refusal.SHARDS_BAD: lambda g: g.create(num_shards=17),
    Refusal.PROPERTY_REFUSED: lambda g: g.create(properties={"collection.ttl.seconds": 5}),
    Refusal.PROPERTY_BAD: lambda g: g.create(properties={"mmap.enabled": "perhaps"}),
    Refusal.PROPERTY_NOT_SERVED: lambda g: g.raw_create(lambda s: s.properties.add(key="k")),
    # partitions
    Refusal.PARTITION_KEPT: lambda g: g.client.drop_partition("plain", "_default"),
    Refusal.PARTITIONS_MOST: _many_partitions,
    Refusal.PARTITION_KEY_OWNS: lambda g: g.client.create_partition("parted", "p"),
    Refusal.PARTITIONS_BAD: lambda g: g.create(
        ("p", DataType.INT64, {"is_partition_key": True}), num_partitions=2000
    ),
    Refusal.PARTITIONS_WITHOUT_KEY: lambda g: g.raw_create(lambda s: None, num_partitions=4),
    # fields of a schema
    Refusal.FIELDS_COUNT: lambda g: g.raw_create(lambda s: s.ClearField("fields")),
    Refusal.FIELD_TWICE: lambda g: g.raw_create(add("id", "Bool")),
    Refusal.FIELD_RESERVED: lambda g: g.create(("_row_id", DataType.BOOL, {})),
    Refusal.FIELD_ID: lambda g: g.raw_create(add("x", "Bool", fieldID=7)),
    Refusal.TYPE_NOT_SERVED: lambda g: g.create(("x", DataType.GEOMETRY, {})),
    Refusal.ELEMENT_TYPE: lambda g: g.raw_create(
        add("x", "Array", {"max_capacity": "4"}, element_type=KIND("JSON"))
    ),
    Refusal.KEY_COUNT: lambda g: g.raw_create(add("x", "Int64", is_primary_key=True)),
    Refusal.KEY_TYPE: lambda g: g.raw_create(
        lambda s: setattr(s.fields[0], "data_type", KIND("Float"))
    ),
    Refusal.KEY_PLAIN: lambda g: g.raw_create(lambda s: setattr(s.fields[0], "nullable", True)),
    Refusal.AUTO_ID_FIELD: lambda g: g.raw_create(add("x", "Int64", autoID=True)),
    Refusal.PARTITION_KEY_COUNT: lambda g: g.raw_create(
        lambda s: [add(n, "Int64", is_partition_key=True)(s) for n in "xy"]
    ),
    Refusal.PARTITION_KEY_BAD: lambda g: g.raw_create(add("x", "Float", is_partition_key=True)),
    Refusal.FUNCTION_OUTPUT: _function,
    Refusal.VECTOR_COUNT: lambda g: g.raw_create(lambda s: s.fields.pop()),
    Refusal.DIM_BAD: lambda g: g.create(("x", DataType.FLOAT_VECTOR, {"dim": 40_000})),
    Refusal.MAX_LENGTH_BAD: lambda g: g.create(("x", DataType.VARCHAR, {"max_length": 70_000})),
    Refusal.CAPACITY_BAD: lambda g: g.create(
        ("x", DataType.ARRAY, _ARRAY | {"max_capacity": 5000})
    ),
    Refusal.PARAMETER_NOT_SERVED: lambda g: g.create(("x", DataType.JSON, {"mmap_enabled": True})),
    Refusal.PARAMETER_ON_TYPE: lambda g: g.raw_create(add("x", "Int64", {"dim": "4"})),
    Refusal.FLAG_ON_TYPE: lambda g: g.raw_create(lambda s: setattr(s.fields[1], "nullable", True)),
    Refusal.DEFAULT_BAD: lambda g: g.create(("x", DataType.INT8, {"default_value": 300})),
    # indexes
    Refusal.INDEX_DIFFERS: _another_index,
    Refusal.INDEX_TYPE: lambda g: _index(g, index_type="HNWS"),
    Refusal.METRIC_TYPE: lambda g: _index(g, index_type="FLAT", metric_type="HAMMING"),
    Refusal.SAID_TOO_LARGE: lambda g: g.raw(
        "CreateIndex",
        pb.CreateIndexRequest(
            collection_name="rich",
            field_name="v",
            extra_params=[common_pb.KeyValuePair(key="k", value="x" * 70_000)],
        ),
    ),
    # columns of rows
    Refusal.ROWS_NONE: lambda g: g.raw_insert(lambda r: r.ClearField("num_rows")),
    Refusal.ROWS_COUNT: lambda g: g.raw_insert(lambda r: setattr(r, "num_rows", 2)),
    Refusal.COLUMN_MISSING: lambda g: g.raw_insert(_clear_key),
    Refusal.COLUMN_EXTRA: lambda g: g.raw_insert(lambda r: column(r, "none", "Int64")),
    Refusal.COLUMN_TWICE: lambda g: g.raw_insert(lambda r: column(r, "id", "Int64")),
    Refusal.COLUMN_TYPE: lambda g: g.raw_insert(
        lambda r: setattr(r.fields_data[0], "type", KIND("Bool"))
    ),
    Refusal.KEY_GIVEN: lambda g: g.raw_insert(name="auto"),
    Refusal.NOT_NULLABLE: lambda g: g.raw_insert(
        lambda r: r.fields_data[0].valid_data.extend([True, False, True])
    ),
    Refusal.VALID_DATA_COUNT: lambda g: g.raw_insert(
        lambda r: r.fields_data[0].valid_data.extend([True])
    ),
    Refusal.COLUMN_SHORT: lambda g: g.insert(v=None),
    Refusal.WRONG_DIM: lambda g: g.insert(v=[0.5] * 3),
    Refusal.VECTOR_LENGTH: lambda g: g.raw_insert(
        lambda r: r.fields_data[1].vectors.float_vector.data.append(1)
    ),
    # values of rows
    Refusal.NOT_FINITE: lambda g: g.insert(v=[float("nan")] * 4),
    Refusal.FLOAT_LARGE: lambda g: g.insert(v=[1e300] * 4),
    Refusal.OUT_OF_RANGE: lambda g: g.rich(i8=300),
    Refusal.TOO_LONG: lambda g: g.rich(t="123456789"),
    Refusal.TOO_MANY: lambda g: g.rich(a=[1, 2, 3]),
    Refusal.SPARSE_LENGTH: lambda g: g.raw_insert(sparse(b"\0" * 7), name="rich"),
    Refusal.SPARSE_INDEX: lambda g: g.raw_insert(sparse(b"\xff" * 4 + b"\0" * 4), name="rich"),
    Refusal.SPARSE_ORDER: lambda g: g.raw_insert(sparse(b"\0" * 16), name="rich"),
    Refusal.NOT_UTF8: lambda g: g.raw_insert(documents(b'"\xff"', b"1", b"2"), name="rich"),
    Refusal.NOT_JSON: lambda g: g.raw_insert(documents(b"1", b"NaN", b"2"), name="rich"),
    Refusal.JSON_DEEP: lambda g: g.raw_insert(
        documents(b"1", b"2", b"[" * 200 + b"]" * 200), name="rich"
    ),
    Refusal.DYNAMIC_NOT_OBJECT: lambda g: g.raw_insert(
        documents(b"{}", b"[]", b"{}", name="$meta")
    ),
    Refusal.DYNAMIC_NAME: lambda g: g.raw_insert(
        documents(b"{}", b'{"v": 1}', b"{}", name="$meta")
    ),
    Refusal.ROW_TOO_LARGE: lambda g: g.insert(t="x" * ENTRY_BYTES_MAX),
    Refusal.DEFAULTS_TOO_LARGE: lambda g: g.raw_insert(
        lambda r: r.CopyFrom(insert_request("defaults", list(range(50))))
    ),
    # deletes
    Refusal.EXPRESSION: lambda g: g.client.delete("plain", filter="id > 5"),
    Refusal.EXPRESSION_KEY: lambda g: g.client.delete("plain", filter="v == 5"),
    Refusal.EXPRESSION_VALUE: lambda g: g.client.delete("plain", filter="id == 'a'"),
    Refusal.TEMPLATE_MISSING: lambda g: g.client.delete("plain", filter="id in {k}"),
    Refusal.TEMPLATE_UNUSED: lambda g: g.client.delete(
        "plain", filter="id == 1", filter_params={"k": [1]}
    ),
    Refusal.KEYS_NONE: lambda g: g.client.delete("plain", filter="id in []"),
    # writing
    Refusal.KEY_REUSED: _key_again,
    Refusal.OUTCOME_UNKNOWN: lambda g: g.raw_insert(idempotency_key="old", headrace_first_sent="1"),
    Refusal.FLUSH_TIME_MISSING: lambda g: g.raw("GetFlushState", pb.GetFlushStateRequest()),
}
