"""Messages and errors survive the way through bytes."""

from dataclasses import dataclass, replace
from enum import StrEnum

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from support.values.messages import message_types, values_of

from headrace.model.channel import Position
from headrace.model.errors import (
    Conflict,
    Corrupt,
    Fenced,
    HeadraceError,
    Invalid,
    NotFound,
    Unavailable,
)
from headrace.rpc import codec
from headrace.rpc.api import NotSent
from headrace.rpc.messages import AppendRequest, DeletesReport, PositionResponse


@pytest.mark.parametrize("kind", message_types(), ids=lambda kind: kind.__name__)
@given(data=...)
def test_random_bytes_are_a_message_or_invalid(kind: type, data: bytes) -> None:
    try:
        assert isinstance(codec.decode(kind, data), kind)
    except Invalid as error:
        assert kind.__name__ in error.message


@pytest.mark.parametrize("kind", message_types(), ids=lambda kind: kind.__name__)
def test_every_value_comes_back_equal(kind: type) -> None:
    @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
    @given(value=values_of(kind))
    def check(value: object) -> None:
        assert codec.decode(kind, codec.encode(value)) == value

    check()


def append(body: bytes | memoryview) -> AppendRequest:
    return AppendRequest(
        vchannel="c-0_7v0",
        collection_id=7,
        partition_id=1,
        version=2,
        part_id=b"p" * 16,
        fingerprint=b"f",
        first_sent=2**59,
        keyed=True,
        rows=3,
        body=body,
        row_bytes=len(body),
    )


@pytest.mark.parametrize("size", [0, 1, 255, 65_535, 65_536, 100_000])
def test_a_view_is_carried_as_the_bytes_it_shows(size: int) -> None:
    view = memoryview(bytes(range(256)) * (size // 256 + 1))[:size]
    arrived = codec.decode(AppendRequest, codec.encode(append(view)))
    assert arrived == append(bytes(view))


@pytest.mark.parametrize("cut", [1, 2, 100, 49_000, 50_010])
def test_a_message_that_is_cut_short_is_invalid(cut: int) -> None:
    data = codec.encode(append(b"x" * 50_000))
    with pytest.raises(Invalid):
        codec.decode(AppendRequest, data[:-cut])


def test_a_body_is_a_view_of_what_was_received() -> None:
    data = codec.encode(append(b"x" * 50_000))
    body = codec.decode(AppendRequest, data).body
    assert isinstance(body, memoryview)
    assert body.obj is data


def test_both_bodies_of_an_upsert_arrive() -> None:
    request = replace(append(b"r" * 9000), deletes=2, delete_body=b"d" * 7000)
    assert codec.decode(AppendRequest, codec.encode(request)) == request
    short = replace(append(b"r" * 9000), deletes=2, delete_body=b"d" * 7)
    assert codec.decode(AppendRequest, codec.encode(short)) == short


def test_an_absent_message_is_none_and_an_empty_one_is_not() -> None:
    nowhere = Position("", 0, 0)
    for extends in (None, nowhere):
        report = DeletesReport(files=(), rows=0, extends=extends, checkpoint=nowhere)
        assert codec.decode(DeletesReport, codec.encode(report)).extends == extends


def test_unknown_fields_of_a_newer_peer_are_ignored() -> None:
    @dataclass
    class Newer:
        position: Position
        more: dict[str, int]

    data = codec.encode(Newer(Position("c-0", 5, 9), {"x": 1}))
    assert codec.decode(PositionResponse, data) == PositionResponse(Position("c-0", 5, 9))


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Painted:
    colour: Colour
    count: int = 0


def test_an_enum_arrives_as_its_member() -> None:
    arrived = codec.decode(Painted, codec.encode(Painted(Colour.RED)))
    assert arrived.colour is Colour.RED


@pytest.mark.parametrize(
    "data",
    [
        msgspec.msgpack.encode({"colour": "blue"}),
        msgspec.msgpack.encode({"colour": "red", "count": "2"}),
        msgspec.msgpack.encode({"count": 2}),
        msgspec.msgpack.encode({"colour": "red"}) + b"more",
        b"\x81\xa6colour\xa3\xff\xff\xff",
        b"",
    ],
    ids=["unknown value", "wrong type", "field missing", "more bytes", "no UTF-8", "nothing"],
)
def test_wrong_bytes_are_invalid_and_name_the_kind(data: bytes) -> None:
    with pytest.raises(Invalid, match="Painted"):
        codec.decode(Painted, data)


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("later"),
        Fenced("someone newer"),
        Conflict("changed"),
        Invalid("wrong", field="dim", code=65),
        NotFound("absent", field="collection", code=100),
        Corrupt("torn", channel="c-0"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_arrives_as_its_class_with_all_it_holds(error: HeadraceError) -> None:
    arrived = codec.decode_error(codec.encode_error(error))
    assert type(arrived) is type(error)
    assert vars(arrived) == vars(error)


def test_not_sent_is_true_of_the_nearest_hop_only() -> None:
    assert type(codec.decode_error(codec.encode_error(NotSent("refused")))) is Unavailable


def test_an_unknown_kind_of_error_is_unavailable() -> None:
    data = codec.encode(codec.ErrorDetails("Exhausted", "no more"))
    assert type(codec.decode_error(data)) is Unavailable


def test_long_error_messages_are_cut() -> None:
    assert len(codec.encode_error(Fenced("x" * 100_000))) < 4000
