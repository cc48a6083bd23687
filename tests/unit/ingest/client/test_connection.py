"""Calls to a front door: what an answer means, and what a server describes."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from support.world.open_door import OpenDoor, open_door
from support.world.proxy import insert_request, simple_schema

from headrace.ingest.client.connection import Connection, OutcomeUnknown, schema_of
from headrace.model.errors import Invalid, NotFound, Unavailable
from headrace.model.refusals import Refusal
from headrace.model.schema import DataType, Field, Schema
from headrace.proxy.collections.schema_check import schema_message
from headrace.proxy.settings import ProxySettings
from headrace.rpc.messages import AppendResponse


@pytest.fixture
def door() -> Iterator[OpenDoor]:
    with open_door() as door:
        yield door


def ask(uri: str, work: Any, token: str = "") -> Any:
    """The result of `work(connection)`."""

    async def run() -> Any:
        connection = Connection(uri, token)
        try:
            return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(run())


def test_rows_are_sent_under_a_key_and_a_time(door: OpenDoor) -> None:
    record = door.do(door.world.create("docs", simple_schema()))
    data = insert_request("docs", [1, 2]).SerializeToString()

    async def twice(connection: Connection) -> list[int]:
        first_sent = await connection.timestamp()
        return [await connection.insert(data, "key", first_sent) for _ in range(2)]

    first, second = ask(door.uri, twice)
    assert first == second
    assert len(door.world.sequencer.rows(record.id)) == 2


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (AppendResponse(outcome="unknown"), OutcomeUnknown),
        (Invalid("no"), Invalid),
        (Refusal.BUSY(under_way=1, most=1), Unavailable),
        (Refusal.BROKEN(), Unavailable),
    ],
)
def test_answers_are_sorted_by_what_to_do(door: OpenDoor, outcome: Any, error: Any) -> None:
    door.do(door.world.create("docs", simple_schema()))
    door.world.sequencer.outcomes = [outcome]
    data = insert_request("docs", [1]).SerializeToString()
    with pytest.raises(error):
        ask(door.uri, lambda c: c.insert(data, "key", 1))


def test_what_is_absent_is_not_found(door: OpenDoor) -> None:
    with pytest.raises(NotFound, match="'nothing' does not exist"):
        ask(door.uri, lambda c: c.describe("nothing"))


def test_nobody_there_is_unavailable() -> None:
    with pytest.raises(Unavailable, match=r"^http://127\.0\.0\.1:1: "):
        ask("http://127.0.0.1:1", lambda c: c.timestamp())


@pytest.mark.parametrize("uri", ["ftp://x", "http://", "://"])
def test_an_address_that_is_none_is_refused(uri: str) -> None:
    with pytest.raises(Invalid, match="it is spelt http://HOST:PORT"):
        Connection(uri)


def test_a_server_that_wants_a_token_gets_it() -> None:
    with open_door(ProxySettings(port=0, token="root:swordfish")) as door:
        assert ask(door.uri, lambda c: c.timestamp(), "root:swordfish") > 0
        with pytest.raises(Invalid):
            ask(door.uri, lambda c: c.timestamp())


def test_a_flush_is_asked_for_and_waited_for(door: OpenDoor) -> None:
    door.do(door.world.create("docs", simple_schema()))

    async def flush(connection: Connection) -> tuple[int, bool]:
        at = await connection.begin_flush("docs")
        return at, await connection.flushed("docs", at)

    at, done = ask(door.uri, flush)
    assert at > 0
    assert done


def test_a_schema_comes_back_as_it_was_made() -> None:
    schema = Schema(
        fields=(
            Field(id=100, name="id", type=DataType.INT64, primary=True, auto_id=True),
            Field(id=101, name="t", type=DataType.VARCHAR, max_length=9, nullable=True),
            Field(id=102, name="n", type=DataType.INT8, default=3, has_default=True),
            Field(
                id=103,
                name="a",
                type=DataType.ARRAY,
                element_type=DataType.VARCHAR,
                max_length=5,
                max_capacity=7,
            ),
            Field(id=104, name="v", type=DataType.FLOAT_VECTOR, dim=4),
            Field(id=105, name="$meta", type=DataType.JSON, dynamic=True),
        )
    )
    assert schema_of(schema_message("docs", schema)) == schema


def test_a_type_of_a_newer_server_is_said() -> None:
    key = Field(id=100, name="id", type=DataType.INT64, primary=True)
    message = schema_message("docs", Schema(fields=(key,)))
    message.fields.add(name="shape", data_type=24)
    with pytest.raises(Invalid, match="field 'shape' has a type that ingest does not know"):
        schema_of(message)
