"""One client, many threads."""

import sys
from concurrent.futures import ThreadPoolExecutor

from pymilvus import MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.drop_collection("threads")
client.create_collection("threads", dimension=4)

rows = [{"id": n, "vector": [n] * 4} for n in range(400)]


def send(first):
    return client.insert("threads", rows[first : first + 20])["insert_count"]


with ThreadPoolExecutor(8) as threads:
    assert sum(threads.map(send, range(0, 400, 20))) == 400
client.flush("threads")
assert client.get_collection_stats("threads")["row_count"] == 400

stored = {"threads": rows}
client.close()
