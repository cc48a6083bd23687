"""Several vectors in a row, as for a text and its picture."""

import sys

from pymilvus import DataType, MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("several_vectors")

schema = MilvusClient.create_schema()
schema.add_field("id", DataType.INT64, is_primary=True)
schema.add_field("text", DataType.FLOAT_VECTOR, dim=4)
schema.add_field("picture", DataType.FLOAT_VECTOR, dim=6)
schema.add_field("words", DataType.SPARSE_FLOAT_VECTOR)
client.create_collection("several_vectors", schema=schema)

rows = [
    {"id": n, "text": [n / 2] * 4, "picture": [n / 4] * 6, "words": {n: 1.0, n + 9: 0.5}}
    for n in range(10)
]
assert client.insert("several_vectors", rows)["insert_count"] == 10
client.flush("several_vectors")

stored = {"several_vectors": rows}
client.close()
