"""No method of pymilvus is left out: each has a script, or a sentence that names another way."""

import subprocess

from support.client_methods import FORGOTTEN, methods
from support.clients import CLIENTS

from headrace.proxy.unserved import INSTEAD

LIST = """
import pymilvus
print(*(n for n in dir(pymilvus.MilvusClient) if not n.startswith("_")))
print(*(n for n in dir(pymilvus.Collection) if not n.startswith("_")))
"""


def test_every_public_method_is_shown_by_a_script() -> None:
    left_out = [m for m in methods() if not m.script]
    assert [m.name for m in left_out if m.owner != "AsyncMilvusClient"] == []
    forgotten = {m.name for m in left_out}
    assert forgotten <= set(FORGOTTEN)
    assert all(m.protocol in INSTEAD for m in methods() if m.protocol)


def test_the_older_client_has_no_other_methods() -> None:
    older = subprocess.check_output([CLIENTS["2.6"], "-c", LIST], text=True).splitlines()
    for owner, names in zip(("MilvusClient", "Collection"), older, strict=True):
        present = {m.name for m in methods() if m.owner == owner}
        assert set(names.split()) <= present
