"""A collection with a schema of one's own, an index and several shards."""

import sys

from pymilvus import DataType, MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("articles")

schema = MilvusClient.create_schema(auto_id=False, description="articles of a newspaper")
schema.add_field("id", DataType.INT64, is_primary=True)
schema.add_field("title", DataType.VARCHAR, max_length=200, description="the headline")
schema.add_field("year", DataType.INT16)
schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=16)

index_params = client.prepare_index_params()
index_params.add_index("embedding", index_type="HNSW", metric_type="COSINE", params={"M": 16})

client.create_collection(
    "articles",
    schema=schema,
    index_params=index_params,
    num_shards=2,
    consistency_level="Strong",
)
# Again with the same schema is done, so a script may be started anew.
client.create_collection("articles", schema=schema, num_shards=2, consistency_level="Strong")

described = client.describe_collection("articles")
assert described["description"] == "articles of a newspaper"
assert described["num_shards"] == 2
assert described["consistency_level"] == 0
assert not described["enable_dynamic_field"]
assert described["fields"][1]["params"] == {"max_length": 200}
assert described["fields"][1]["description"] == "the headline"
assert client.get_load_state("articles")["state"].name == "Loaded"

rows = [
    {"id": n, "title": f"Headline {n}", "year": 1990 + n, "embedding": [n / 4] * 16}
    for n in range(30)
]
assert client.insert("articles", rows)["insert_count"] == 30
client.flush("articles")

stored = {"articles": rows}
client.close()
