"""A thousand fresh cases a run, and checks that what looks for mistakes can find some."""

import random
import secrets

import pytest
from google.protobuf.message import DecodeError

from fuzz.answers import Wrong, refusal_of
from fuzz.batch import BASES, Batch, Case, Tally
from fuzz.mutations import mutate_bytes, mutate_fields
from fuzz.requests import make_create
from fuzz.run import run
from headrace.model.refusals import Refusal
from headrace.proxy.errors import status_of
from headrace.proxy.milvus import common_pb, pb

CASES = 1000


def test_a_thousand_fresh_cases_go_right(capsys: pytest.CaptureFixture[str]) -> None:
    first = secrets.randbits(32)
    with capsys.disabled():
        print(f"[fuzz seed {first}]", end="", flush=True)
    tally, failure = run(first, CASES, lambda line: None)
    assert failure is None, f"make fuzz ARGS='--seed {first} --cases {CASES}'\n{failure}"
    # A run in which little is refused, or little is taken, would show little.
    assert tally.cases >= CASES
    assert tally.outcomes["done"] > CASES / 10
    assert len(tally.outcomes) > 20
    assert tally.rows_read > CASES / 2
    assert tally.socket_cases >= CASES // 10


def test_the_same_seed_makes_the_same_cases() -> None:
    first, _ = run(11, 30, lambda line: None)
    again, _ = run(11, 30, lambda line: None)
    assert first == again
    assert first != run(12, 30, lambda line: None)[0]


@pytest.fixture
def batch() -> object:
    made = Batch(3, Tally())
    yield made
    made.close()


def test_the_rows_of_a_batch_are_read_back(batch: Batch) -> None:
    batch.finish()
    assert batch.tally.collections_read == BASES
    assert batch.tally.rows_read > 2 * BASES - 1


def test_a_row_that_is_lost_is_noticed(batch: Batch) -> None:
    history = batch.histories["base_0"]
    history.rows[5] = [("_default", (5, b"", "{}"))]
    with pytest.raises(Wrong, match="base_0 is not what was acknowledged"):
        batch.finish()


def test_a_row_that_is_doubled_is_noticed(batch: Batch) -> None:
    history = batch.histories["base_1"]
    del history.rows[history.keys[0]]
    with pytest.raises(Wrong, match="base_1 is not what was acknowledged"):
        batch.finish()


def test_a_call_without_an_answer_is_noticed(batch: Batch) -> None:
    batch.world.cluster.processes["proxy-1"].fate.frozen = True
    request = pb.DeleteRequest(collection_name="base_0", expr="id == 1")
    with pytest.raises(Wrong, match="no answer"):
        batch.judge(Case("Delete", "made", request.SerializeToString()))
    batch.world.cluster.processes["proxy-1"].fate.dead = True


@pytest.mark.parametrize(
    "status",
    [
        status_of(Refusal.BROKEN()),
        common_pb.Status(code=65535, reason="KeyError: 'x'"),
        common_pb.Status(code=1100, reason="list index out of range"),
        common_pb.Status(code=100, reason=Refusal.ROWS_NONE.value.text),
        common_pb.Status(code=0, reason="so so"),
    ],
)
def test_an_answer_outside_the_table_is_noticed(status: object) -> None:
    with pytest.raises(Wrong):
        refusal_of(status)


@pytest.mark.parametrize("refusal", [r for r in Refusal if r.value.code != 65535])
def test_every_sentence_is_known_again(refusal: Refusal) -> None:
    text = refusal.value.text.format_map(Filled())
    found = refusal_of(common_pb.Status(code=refusal.value.code, reason=text))
    assert found is not None
    assert found.value.code == refusal.value.code


class Filled(dict[str, str]):
    """Every name of a sentence."""

    def __missing__(self, name: str) -> str:
        return "1"


def test_mutations_reach_messages_that_are_none_and_messages_that_are() -> None:
    chance = random.Random(5)
    outcomes = {"same": 0, "other": 0, "none": 0}
    for _ in range(300):
        data = make_create(chance, "c").SerializeToString()
        changed = mutate_bytes(chance, data)
        try:
            message = pb.CreateCollectionRequest.FromString(changed)
        except DecodeError:
            outcomes["none"] += 1
        else:
            same = message == pb.CreateCollectionRequest.FromString(data)
            outcomes["same" if same else "other"] += 1
    assert outcomes["none"] > 20
    assert outcomes["other"] > 20


def test_mutations_reach_every_field_of_a_request() -> None:
    chance = random.Random(6)
    reached = set()
    for _ in range(2000):
        message = pb.InsertRequest(collection_name="c")
        before = pb.InsertRequest.FromString(message.SerializeToString())
        mutate_fields(chance, message)
        reached |= {d.name for d, _ in message.ListFields()} - {
            d.name for d, v in message.ListFields() if getattr(before, d.name) == v
        }
    assert reached == {d.name for d in pb.InsertRequest.DESCRIPTOR.fields}
