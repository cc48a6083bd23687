"""Every sentence of the table (docs/guide/errors.md) as pymilvus raises it."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from fuzz.answers import pattern
from pymilvus import MilvusClient, MilvusException
from pymilvus.grpc_gen.milvus_pb2_grpc import MilvusServiceStub
from support.clients.refused import CASES, SETTINGS, Ground, V
from support.processes.cluster import Cluster, quiet_client
from support.world.open_door import OpenDoor, open_door
from support.world.proxy import insert_request, simple_schema

from headrace.model.errors import Corrupt, Unavailable
from headrace.model.refusals import Refusal
from headrace.proxy.errors import Ending
from headrace.proxy.milvus import pb
from headrace.proxy.settings import ProxySettings
from headrace.rpc import messages as m

IN_TROUBLE = {  # raised below, where something is wrong with the server
    Refusal.BUSY,
    Refusal.BROKEN,
    Refusal.FAILED,
    Refusal.COLLECTION_DROPPED,
    Refusal.LOG_FULL,
}


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    directory = Path(tmp_path_factory.mktemp("errors")) / "data"
    cluster = Cluster(directory, data_nodes=1, settings=SETTINGS).start()
    cluster.wait_until_whole()
    client = quiet_client(cluster.uri())
    with grpc.insecure_channel(cluster.standalone.front_doors[0]) as channel:
        yield Ground(client, channel)
    client.close()
    cluster.stop()


def test_every_sentence_has_a_case() -> None:
    assert set(CASES) | IN_TROUBLE == set(Refusal)
    assert not set(CASES) & IN_TROUBLE


@pytest.mark.parametrize("refusal", CASES, ids=lambda r: r.name)
def test_a_client_is_told_what_the_table_says(ground: Ground, refusal: Refusal) -> None:
    with pytest.raises(MilvusException) as caught:
        CASES[refusal](ground)
    check(caught.value, refusal)


def check(raised: MilvusException, refusal: Refusal) -> None:
    """The code and the sentence of the table, and no part of it that was not filled in."""
    code, words = raised.code, raised.message
    if refusal is Refusal.SCHEMA_MISMATCH:  # pymilvus keeps only the sentence, and tries anew
        code, words = refusal.value.code, str(raised.code)
    assert code == refusal.value.code, words
    assert pattern(refusal.value.text).fullmatch(words), words


# ---- a server in trouble -----------------------------------------------------------------------


@pytest.fixture
def door() -> Iterator[OpenDoor]:
    with open_door(ProxySettings(port=0, under_way_bytes_max=50)) as opened:
        yield opened


@pytest.fixture
def client(door: OpenDoor) -> Iterator[MilvusClient]:
    made = quiet_client(door.uri)
    made.create_collection("c", dimension=4, num_shards=2)
    yield made
    made.close()


ROWS = [{"id": n, "vector": V} for n in range(10)]


def test_a_proxy_with_too_much_under_way_says_so(door: OpenDoor, client: MilvusClient) -> None:
    append, asked, held = door.world.sequencer.append, threading.Event(), threading.Event()

    async def wait(request: m.AppendRequest) -> m.AppendResponse:
        asked.set()
        while not held.is_set():
            await door.world.clock.sleep(0.01)
        return await append(request)

    door.world.sequencer.append = wait
    first = threading.Thread(target=lambda: client.insert("c", ROWS))
    first.start()
    assert asked.wait(20)
    with pytest.raises(MilvusException) as caught:
        client.insert("c", ROWS, retry_on_rate_limit=False)
    held.set()
    first.join()
    check(caught.value, Refusal.BUSY)


def test_a_proxy_that_breaks_says_so_and_serves_on(door: OpenDoor, client: MilvusClient) -> None:
    async def broken(request: Any, call: Any) -> Any:
        raise KeyError("a mistake of ours")

    served: dict[str, Any] = door.world.assembly.served
    right = served["Insert"]
    served["Insert"] = broken
    with pytest.raises(MilvusException) as caught:
        client.insert("c", ROWS)
    check(caught.value, Refusal.BROKEN)
    served["Insert"] = right
    assert client.insert("c", ROWS)["insert_count"] == 10


def test_a_pchannel_that_can_not_go_on_says_so(door: OpenDoor, client: MilvusClient) -> None:
    door.world.sequencer.outcomes = [Corrupt("message 7 is no group")] * 20
    with pytest.raises(MilvusException) as caught:
        client.insert("c", ROWS)
    check(caught.value, Refusal.FAILED)
    assert "message 7 is no group" in caught.value.message


def test_a_request_cut_off_by_a_drop_says_so(door: OpenDoor, client: MilvusClient) -> None:
    append = door.world.sequencer.append

    async def drop_after_the_first(request: m.AppendRequest) -> m.AppendResponse:
        done = await append(request)
        if done.outcome == "done" and len(door.world.sequencer.stored) == 1:
            await door.world.master_service.drop(m.DropCollectionRequest("c"))
        return done

    door.world.sequencer.append = drop_after_the_first
    with pytest.raises(MilvusException) as caught:
        client.insert("c", ROWS)
    check(caught.value, Refusal.COLLECTION_DROPPED)


def test_a_full_log_says_so(door: OpenDoor, client: MilvusClient) -> None:
    full = m.AppendResponse(outcome="full", reason="the log's disk has 3 MB left")
    door.world.sequencer.outcomes = [full] * 20
    with pytest.raises(MilvusException) as caught:
        client.insert("c", ROWS)
    check(caught.value, Refusal.LOG_FULL)


# ---- what is no error --------------------------------------------------------------------------


def test_nan_in_a_dynamic_field_is_stored_as_the_null_that_pymilvus_sends(
    door: OpenDoor, client: MilvusClient
) -> None:
    client.insert("c", [{"id": 1, "vector": V, "a": float("nan"), "b": {"c": float("inf")}}])
    record = next(r for r in door.world.collections() if r.name == "c")
    (row,) = door.world.sequencer.rows(record.id)
    assert row["$meta"] == '{"a":null,"b":{"c":null}}'


# ---- calls that end without an answer ----------------------------------------------------------


def ends(door: OpenDoor, method: str, request: Any) -> tuple[str, str]:
    """The gRPC status and the words with which a call ends, in pymilvus's own stub."""
    with grpc.insecure_channel(door.address) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            getattr(MilvusServiceStub(channel), method)(request, timeout=20)
        return caught.value.code().name, caught.value.details()


async def nobody_answers(request: Any) -> Any:
    """What a peer does whose answers are lost."""
    raise Unavailable("no answer came")


def find_no_sequencer(door: OpenDoor) -> tuple[str, str]:
    refused = m.AppendResponse(outcome="refused", reason="not the sequencer any more")
    door.world.sequencer.outcomes = [refused] * 1000
    return ends(door, "Insert", insert_request("c", [1, 2, 3]))


def lose_answers_of_the_log(door: OpenDoor) -> tuple[str, str]:
    door.world.sequencer.outcomes = [Unavailable("the log is away")] * 1000
    return ends(door, "Insert", insert_request("c", [1, 2, 3]))


def find_no_master(door: OpenDoor) -> tuple[str, str]:
    door.do(door.world.master.stop())
    return ends(door, "DropCollection", pb.DropCollectionRequest(collection_name="c"))


def lose_answers_of_the_master(door: OpenDoor) -> tuple[str, str]:
    door.do(door.world.master.stop())
    door.do(door.world.master.start({m.DropCollectionRequest: nobody_answers}))
    return ends(door, "DropCollection", pb.DropCollectionRequest(collection_name="c"))


def lose_answers_of_seals(door: OpenDoor) -> tuple[str, str]:
    door.world.sequencer.seal = nobody_answers
    return ends(door, "Flush", pb.FlushRequest(collection_names=["c"]))


def lose_the_meta_store(door: OpenDoor) -> tuple[str, str]:
    door.world.trouble.away = True
    return ends(door, "HasCollection", pb.HasCollectionRequest(collection_name="c"))


ENDINGS: dict[Ending, Callable[[OpenDoor], tuple[str, str]]] = {
    Ending.NOTHING_WRITTEN: find_no_sequencer,
    Ending.NOT_ASKED: find_no_master,
    Ending.AGAIN: lose_the_meta_store,
    Ending.OUTCOME_OPEN: lose_answers_of_the_log,
    Ending.NOT_ANSWERED: lose_answers_of_the_master,
    Ending.NOT_SEALED: lose_answers_of_seals,
    Ending.NO_METHOD: lambda d: ends(d, "GetReplicateInfo", pb.GetReplicateInfoRequest()),
}


def test_every_end_of_a_call_has_a_case() -> None:
    assert {*ENDINGS, Ending.TOKEN_WRONG} == set(Ending)


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda e: e.name)
def test_a_call_ends_as_the_table_says(ending: Ending) -> None:
    settings = ProxySettings(port=0, deadline_s_max=1.0, unavailable_after_s=0.2)
    with open_door(settings) as door:
        door.do(door.world.create("c", simple_schema()))
        status, words = ENDINGS[ending](door)
    assert status == ending.transport.name, words
    assert pattern(ending.text).fullmatch(words), words


def test_a_wrong_token_ends_a_call_as_the_table_says() -> None:
    with open_door(ProxySettings(port=0, token="root:secret")) as door:
        status, words = ends(door, "GetVersion", pb.GetVersionRequest())
    assert status == Ending.TOKEN_WRONG.transport.name
    assert words == Ending.TOKEN_WRONG.text
