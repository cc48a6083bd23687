"""The public methods of pymilvus, and which script shows each, or shows how it is refused.

**Owns** the walk over pymilvus's classes and over the scripts in `tests/e2e/pymilvus/scripts`.
**Does not own** the scripts, or what to use instead (`headrace.proxy.door.unserved`). It is read by
the page of all methods (`tools/docs.py`), and by the test that none is left out.
"""

import ast
import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "e2e" / "pymilvus" / "scripts"
CLIENTS = ("MilvusClient", "AsyncMilvusClient")
ASKED = {"collection": "Collection", "partition": "Partition", "role": "Role"}
REFUSED, REFUSED_ORM = "refused", "refused_orm"
FIRST = ("quick_setup", "explicit_schema", "server", "async_rows", "orm_collection")  # examples
# pymilvus's asynchronous client has these, but no code behind them.
FORGOTTEN = (
    "flush_all",
    "get_compaction_plans",
    "get_flush_all_state",
    "update_replicate_configuration",
)
# They ask about a compaction that `compact` has begun, which is refused.
OF_COMPACTION = ("get_compaction_plans", "get_compaction_state", "wait_for_compaction_completed")


@dataclass(frozen=True, slots=True)
class Method:
    """A public method: the script that shows it, or (where that refuses it) the protocol's method
    that it asks for. Without either it is not shown at all."""

    owner: str
    name: str
    script: str = ""
    protocol: str = ""


def methods() -> Sequence[Method]:
    """Of every client class, in order of class and name."""
    import pymilvus
    from pymilvus.orm import utility

    owners = {
        "MilvusClient": _public(pymilvus.MilvusClient),
        "AsyncMilvusClient": _public(pymilvus.AsyncMilvusClient),
        "Collection": _public(pymilvus.Collection),
        "Partition": _public(pymilvus.Partition),
        "Index": _public(pymilvus.Index),
        "Role": _public(pymilvus.Role),
        "utility": _functions(utility),
        "connections": _public(type(pymilvus.connections)),
        "db": _functions(pymilvus.db),
    }
    return [_shown(owner, name) for owner, names in owners.items() for name in names]


def _shown(owner: str, name: str) -> Method:
    refused = _refusals().get((owner, name))
    if refused is not None:
        return refused
    found = [script for script in _scripts(owner) if name in _attributes(script)]
    found.sort(key=lambda script: (_likeness(script, owner, name), script not in FIRST, script))
    return Method(owner, name, found[0] if found else "")


def _scripts(owner: str) -> Iterator[str]:
    """Those that use this class. Refusals begin with what is served, for both clients."""
    for script in _trees():
        kind = script.partition("_")[0] if script.startswith(("async_", "orm_")) else ""
        wanted = {"MilvusClient": "", "AsyncMilvusClient": "async"}.get(owner, "orm")
        if kind == wanted or (script == REFUSED and wanted == "async"):
            yield script


def _likeness(script: str, owner: str, name: str) -> int:
    """The script that is called like the method comes first, then that of the class."""
    if script == name:
        return 0
    noun = name.removesuffix("s").rpartition("_")[2]
    return 1 if noun in script or owner.lower() in script else 2


@cache
def _trees() -> Mapping[str, ast.Module]:
    return {path.stem: ast.parse(path.read_text()) for path in sorted(SCRIPTS.glob("*.py"))}


@cache
def _attributes(script: str) -> frozenset[str]:
    tree = _trees()[script]
    return frozenset(node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute))


@cache
def _refusals() -> Mapping[tuple[str, str], Method]:
    """By class and method: what the tables of both scripts say, and what they do beside them."""
    found = [Method(o, "session", REFUSED, "Query") for o in CLIENTS]
    found += [Method("Collection", n, REFUSED_ORM, "ManualCompaction") for n in OF_COMPACTION]
    for protocol, method in _rows(_trees()[REFUSED], 3):
        found += [Method(owner, method, REFUSED, protocol) for owner in CLIENTS]
    for protocol, owner, method in _rows(_trees()[REFUSED_ORM], 4):
        found.append(Method(ASKED.get(owner, owner), method, REFUSED_ORM, protocol))
    return {(m.owner, m.name): m for m in found}


def _rows(tree: ast.Module, length: int) -> Iterator[tuple[str, ...]]:
    """What stands in the tuples of a script's table before their last item, the arguments."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Tuple) and len(node.elts) == length:
            words = [str(getattr(e, "value", getattr(e, "id", ""))) for e in node.elts[:-1]]
            if isinstance(node.elts[-1], ast.Tuple):
                yield tuple(words)


def _public(owner: type) -> list[str]:
    found = ((n, inspect.getattr_static(owner, n)) for n in dir(owner) if not n.startswith("_"))
    called = (staticmethod, classmethod, property)
    return [name for name, value in found if callable(value) or isinstance(value, called)]


def _functions(module: object) -> list[str]:
    found = inspect.getmembers(module, inspect.isfunction)
    name = getattr(module, "__name__", "")
    return [n for n, f in found if f.__module__ == name and not n.startswith("_")]
