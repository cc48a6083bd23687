"""Partitions: made, filled, counted, dropped with their rows."""

import sys

from pymilvus import MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("by_year")
client.create_collection("by_year", dimension=4)

client.create_partition("by_year", "y2023")
client.create_partition("by_year", partition_name="y2024")
assert client.has_partition("by_year", "y2023")
assert not client.has_partition("by_year", "y1999")
assert client.list_partitions("by_year") == ["_default", "y2023", "y2024"]


def rows(first, year):
    return [{"id": n, "vector": [n] * 4, "year": year} for n in range(first, first + 10)]


assert client.insert("by_year", rows(0, 0))["insert_count"] == 10
assert client.insert("by_year", rows(100, 2023), partition_name="y2023")["insert_count"] == 10
assert client.insert("by_year", rows(200, 2024), partition_name="y2024")["insert_count"] == 10
assert client.upsert("by_year", rows(205, 2025), partition_name="y2024")["upsert_count"] == 10
client.flush("by_year")
assert client.get_partition_stats("by_year", "y2023")["row_count"] == 10
assert client.get_collection_stats("by_year")["row_count"] == 40

client.drop_partition("by_year", "y2023")
assert not client.has_partition("by_year", "y2023")
client.flush("by_year")

stored = {"by_year": [*rows(0, 0), *rows(200, 2024)[:5], *rows(205, 2025)]}
client.close()
