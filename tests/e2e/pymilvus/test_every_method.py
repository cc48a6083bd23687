"""No method of pymilvus is left out: each has a script, or a sentence that names another way."""

import subprocess

from support.clients.methods import FORGOTTEN, methods
from support.clients.versions import CLIENTS

from headrace.proxy.door.unserved import INSTEAD

OWNERS = ("MilvusClient", "AsyncMilvusClient", "Collection", "Partition", "Index", "Role")
LIST = """
import sys, pymilvus
for owner in sys.argv[1:]:
    print(*(n for n in dir(getattr(pymilvus, owner)) if not n.startswith("_")))
"""


def test_every_public_method_is_shown_by_a_script() -> None:
    left_out = [m for m in methods() if not m.script]
    assert [m.name for m in left_out if m.owner != "AsyncMilvusClient"] == []
    forgotten = {m.name for m in left_out}
    assert forgotten <= set(FORGOTTEN)
    assert all(m.protocol in INSTEAD for m in methods() if m.protocol)


def test_the_older_client_has_no_other_methods() -> None:
    older = subprocess.check_output([CLIENTS["2.6"], "-c", LIST, *OWNERS], text=True)
    for owner, names in zip(OWNERS, older.splitlines(), strict=True):
        present = {m.name for m in methods() if m.owner == owner}
        assert set(names.split()) - present == set(), owner
