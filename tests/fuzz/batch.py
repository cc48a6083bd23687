"""One batch: a fresh cluster, its collections, cases one after the other, then all read back.

**Owns** what a case is, and the verdict on it and on the whole batch. **Does not own** how many
batches there are (`fuzz.run`).
"""

import random
import signal
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from fuzz.answers import Wrong, refusal_of
from fuzz.meaning import History
from fuzz.mutations import make_headers, mutate_bytes, mutate_fields
from fuzz.requests import TYPES, Known, make_create, make_delete, make_rows
from fuzz.world import World
from headrace.proxy.milvus import SERVICE, Message, common_pb, pb, schema_pb

CASE_S = 10.0  # of real time, for a case that takes some milliseconds
COLLECTIONS_MOST = 14
KEY = "idempotency-key"
BASES = 5  # collections that every batch has
TOLERATED = ("ROW_TOO_LARGE", "TOO_LARGE", "COLLECTION_DIFFERS")  # of right requests
METHODS = ("CreateCollection", "Insert", "Insert", "Insert", "Upsert", "Upsert", "Delete")
MODES = ("made", "made", "fields", "fields", "fields", "bytes")


class Stuck(BaseException):
    """A case took `CASE_S` of real time. No part of the code under test may catch this."""


@dataclass(frozen=True)
class Case:
    """A request as it goes out."""

    method: str
    mode: str
    data: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_plain(self) -> bool:
        """Whether its headers say nothing, or only a key."""
        return set(self.headers) <= {KEY} and 0 < len(self.headers.get(KEY, "x")) <= 256

    @property
    def message(self) -> Message | None:
        """The request, None when it is none."""
        try:
            return _kind(self.method).FromString(self.data)
        except DecodeError:
            return None

    def __str__(self) -> str:
        shown = str(self.message) if self.message is not None else "no message"
        schema = ""
        if self.method == "CreateCollection" and self.message is not None:
            try:
                schema = str(schema_pb.CollectionSchema.FromString(self.message.schema))
            except DecodeError:
                schema = "no message"
            schema = f"\nschema:\n{schema[:3000]}"
        hexed = self.data.hex()
        cut = "" if len(hexed) <= 4000 else f"... ({len(self.data)} bytes)"
        head = f"{self.method} ({self.mode}) {dict(self.headers) or ''}"
        return f"{head}\n{shown[:3000]}{schema}\nbytes: {hexed[:4000]}{cut}"


def _kind(method: str) -> Any:
    return GetMessageClass(SERVICE.methods_by_name[method].input_type)


@dataclass
class Tally:
    """What became of the cases."""

    outcomes: Counter[str] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    rows_read: int = 0
    collections_read: int = 0
    socket_cases: int = 0

    @property
    def cases(self) -> int:
        """How many there were."""
        return self.modes.total()


class Batch:
    """A cluster and the histories of its collections. `run` makes and judges one case."""

    def __init__(self, seed: int, tally: Tally) -> None:
        self.world = World(seed)
        self.tally = tally
        self.histories: dict[str, History] = {}
        self.sent: list[Case] = []
        chance = random.Random(seed)
        for schema in base_schemas():
            self._create(schema, chance)

    # ---- cases -------------------------------------------------------------------------------

    def make(self, chance: random.Random) -> Case:
        """The next case. What is drawn must not depend on what the cluster holds by now, or
        hypothesis could not draw it again: what does depend on it comes from a generator that one
        drawn number seeds."""
        method, mode = chance.choice(METHODS), chance.choice(MODES)
        place, within = chance.randrange(2 * BASES), random.Random(chance.getrandbits(64))
        if method == "CreateCollection":
            message, source = make_create(chance, f"made_{chance.getrandbits(20):05x}"), chance
        elif place < BASES and method != "Delete":
            known = self.histories[f"base_{place}"].known
            message, source = make_rows(chance, known, upsert=method == "Upsert"), chance
        else:
            history = self.histories[within.choice(list(self.histories))]
            source = within
            if method == "Delete":
                message = make_delete(within, history.known, history.keys)
            else:
                message = make_rows(within, history.known, upsert=method == "Upsert")
        if mode == "fields":
            mutate_fields(source, message)
        data = message.SerializeToString(deterministic=True)
        if mode == "bytes":
            data = mutate_bytes(source, data)
        return Case(method, mode, data, make_headers(chance, len(self.sent)))

    def judge(self, case: Case) -> None:
        """Send it; `Wrong` when the front door does what it must never do."""
        self.sent.append(case)
        self.tally.modes[case.mode] += 1
        try:
            with limited():
                answer = self.world.call(case.method, case.data, case.headers)
        except Stuck:
            raise Wrong(f"no answer within {CASE_S} s") from None
        except Exception as error:
            raise Wrong(f"it broke:\n{''.join(traceback.format_exception(error))}") from error
        status = answer if case.method == "CreateCollection" else answer.status
        refusal = refusal_of(status, "headrace-first-sent" in case.headers)
        if self.world.broken:
            raise Wrong("a process broke: " + "\n".join(self.world.broken[:5]))
        if refusal is not None:
            self.tally.outcomes[refusal.name] += 1
            if case.mode == "made" and case.is_plain and refusal.name not in TOLERATED:
                raise Wrong(f"a right request is refused: {status.reason}")
            return
        self.tally.outcomes["done"] += 1
        key = case.headers.get(KEY)
        with limited():
            self._learn(case, answer)
            if key is not None and case.method != "CreateCollection":
                self._repeat(case, answer)

    def _repeat(self, case: Case, first: Message) -> None:
        """A repeat under the same key is answered as the first was, and writes nothing."""
        again = self.world.call(case.method, case.data, case.headers)
        if again != first:
            raise Wrong(f"a repeat is answered otherwise:\n{first}\n{again}")
        self.tally.outcomes["repeated"] += 1

    def _learn(self, case: Case, answer: Message) -> None:
        request = case.message
        assert request is not None
        if case.method == "CreateCollection":
            self._learn_create(request)
            return
        history = self.histories[request.collection_name]
        if case.method == "Delete":
            history.delete(request)
        else:
            history.insert(request, answer, upsert=case.method == "Upsert")

    # ---- collections -------------------------------------------------------------------------

    def _create(self, schema: Message, chance: random.Random) -> None:
        name = f"base_{len(self.histories)}"
        request = pb.CreateCollectionRequest(
            collection_name=name, schema=schema.SerializeToString(), shards_num=2
        )
        refused = refusal_of(self.world.ask("CreateCollection", request))
        assert refused is None, refused
        self._learn_create(request)
        if name == "base_0":
            made = self.world.ask(
                "CreatePartition",
                pb.CreatePartitionRequest(collection_name=name, partition_name="other"),
            )
            assert made.code == 0, made.reason
            self.histories[name].known.partitions.append("other")
        self.add_rows(name, chance)

    def _learn_create(self, request: Message) -> None:
        """A collection that was acknowledged must be what was asked for, and hold rows."""
        name = request.collection_name
        described = self.world.ask(
            "DescribeCollection", pb.DescribeCollectionRequest(collection_name=name)
        )
        refusal_of(described.status)
        asked = schema_pb.CollectionSchema.FromString(request.schema)
        check_described(asked, described.schema)
        if name in self.histories:
            return
        parted = any(f.is_partition_key for f in asked.fields)
        self.histories[name] = History(
            Known(name, described.schema, [] if parted else ["_default"])
        )
        if not name.startswith("base_"):
            self.add_rows(name, random.Random(len(self.sent)))
        made = [n for n in self.histories if not n.startswith("base_")]
        if len(self.histories) > COLLECTIONS_MOST:
            self.read_back([made[0]])
            dropped = self.world.ask(
                "DropCollection", pb.DropCollectionRequest(collection_name=made[0])
            )
            assert dropped.code == 0, dropped.reason
            del self.histories[made[0]]

    def add_rows(self, name: str, chance: random.Random) -> None:
        """Some right rows, which must be taken."""
        history = self.histories[name]
        request = make_rows(chance, history.known, upsert=False)
        answer = self.world.ask("Insert", request)
        refusal = refusal_of(answer.status)
        if refusal is None:
            history.insert(request, answer, upsert=False)
        elif refusal.name not in TOLERATED:
            raise Wrong(f"right rows of {name} are refused: {answer.status.reason}")

    # ---- the end -----------------------------------------------------------------------------

    def finish(self) -> None:
        """It still serves right requests, and what was acknowledged is what is read."""
        for name in list(self.histories):
            self.add_rows(name, random.Random(7))
        self.read_back(list(self.histories))
        if self.world.broken:
            raise Wrong("a process broke: " + "\n".join(self.world.broken[:5]))

    def read_back(self, names: list[str]) -> None:
        """Flush these, read them, compare."""
        try:
            with limited(10 * CASE_S):
                self.world.flush(names)
                tables = {name: self.world.read(name) for name in names}
        except Stuck:
            raise Wrong(f"not flushed and read within {10 * CASE_S} s") from None
        except Exception as error:
            raise Wrong(f"not read:\n{''.join(traceback.format_exception(error))}") from error
        for name, table in tables.items():
            history = self.histories[name]
            self.tally.collections_read += 1
            self.tally.rows_read += len(table)
            if history.unclear:
                continue
            found = history.differences(table)
            if found:
                shown = "\n".join(d[:600] for d in found[:6])
                raise Wrong(f"{name} is not what was acknowledged ({len(found)}):\n{shown}")

    def close(self) -> None:
        """Give the cluster up."""
        self.world.close()


@contextmanager
def limited(seconds: float = CASE_S) -> Iterator[None]:
    """`Stuck` when the block takes more real time."""

    def ring(number: int, frame: object) -> None:
        raise Stuck

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def check_described(asked: Message, told: Message) -> None:
    """`Wrong` unless a collection is described as it was asked for."""
    wanted = [_plain(f, asked) for f in asked.fields]
    found = [_plain(f, told) for f in told.fields]
    if wanted != found or asked.enable_dynamic_field != told.enable_dynamic_field:
        raise Wrong(f"asked for {wanted}, described as {found}")


def _plain(item: Message, schema: Message) -> tuple[Any, ...]:
    member = item.default_value.WhichOneof("data")
    default = None if member is None else getattr(item.default_value, member)
    if default is not None and item.data_type == TYPES.Float:
        default = schema_pb.ValueField(float_data=default).float_data
    return (
        item.name,
        item.data_type,
        item.is_primary_key,
        item.autoID or (schema.autoID and item.is_primary_key),
        item.nullable,
        item.element_type,
        {p.key: int(p.value) for p in item.type_params},
        default,
        item.description,
    )


def base_schemas() -> list[Message]:
    """One collection of each kind, which every batch has."""
    plain = schema_pb.CollectionSchema(enable_dynamic_field=True)
    _field(plain, "id", TYPES.Int64, is_primary_key=True)
    _field(plain, "v", TYPES.FloatVector, dim=4)
    texts = schema_pb.CollectionSchema(enable_dynamic_field=True)
    _field(texts, "id", TYPES.VarChar, is_primary_key=True, max_length=64)
    _field(texts, "v", TYPES.SparseFloatVector)
    _field(texts, "j", TYPES.JSON, nullable=True)
    automatic = schema_pb.CollectionSchema()
    _field(automatic, "id", TYPES.Int64, is_primary_key=True, autoID=True)
    _field(automatic, "v", TYPES.Float16Vector, dim=3)
    _field(automatic, "t", TYPES.VarChar, nullable=True, max_length=1000)
    scalars = schema_pb.CollectionSchema()
    _field(scalars, "id", TYPES.Int64, is_primary_key=True)
    _field(scalars, "v", TYPES.BinaryVector, dim=16)
    kinds = ("Bool", "Int8", "Int16", "Int32", "Int64", "Float", "Double", "VarChar")
    for name in kinds:
        most = {"max_length": 20} if name == "VarChar" else {}
        _field(scalars, name, TYPES.Value(name), nullable=True, **most)
        _field(
            scalars,
            f"array_{name}",
            TYPES.Array,
            nullable=name < "E",
            element_type=TYPES.Value(name),
            max_capacity=8,
            **most,
        )
    vectors = schema_pb.CollectionSchema(enable_dynamic_field=True)
    _field(vectors, "id", TYPES.VarChar, is_primary_key=True, autoID=True, max_length=64)
    for name in ("FloatVector", "Float16Vector", "BFloat16Vector", "Int8Vector", "BinaryVector"):
        _field(vectors, name, TYPES.Value(name), dim=8)
    _field(vectors, "sparse", TYPES.SparseFloatVector)
    return [plain, texts, automatic, scalars, vectors]


def _field(schema: Message, name: str, kind: int, **options: Any) -> None:
    parameters = {k: options.pop(k) for k in list(options) if k in ("dim", *_LENGTHS)}
    pairs = [common_pb.KeyValuePair(key=k, value=str(v)) for k, v in parameters.items()]
    schema.fields.add(name=name, data_type=kind, type_params=pairs, **options)


_LENGTHS = ("max_length", "max_capacity")
