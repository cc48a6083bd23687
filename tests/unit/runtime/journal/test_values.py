"""What a journal keeps: nothing that changes, no rows, and the same values again from text."""

import json
from dataclasses import dataclass, field
from functools import partial

import pytest

from headrace.datanode.events import PutFailed
from headrace.datanode.handoff import SyncKey
from headrace.meta.records import CheckpointRecord, Role
from headrace.model.channel import Position
from headrace.model.entry import Ddl, DdlKind, Rows
from headrace.model.errors import Invalid
from headrace.runtime.journal.values import Elided, Opaque, keep, pack, unpack


def rows_of(body: bytes | memoryview) -> Rows:
    return Rows(
        vchannel="p_1v0",
        timestamp=7,
        collection_id=1,
        partition_id=2,
        version=1,
        part_id=b"1" * 16,
        fingerprint=b"2" * 32,
        first_sent=5,
        keyed=False,
        rows=3,
        body=body,
    )


def again(value: object) -> object:
    return unpack(json.loads(json.dumps(pack(keep(value)))))


def test_a_frozen_value_without_rows_is_kept_as_it_is() -> None:
    position = Position("p", 3, 4)
    assert keep(position) is position
    assert keep((position, 1, "a", Role.PROXY)) == (position, 1, "a", Role.PROXY)


def test_rows_are_replaced_by_their_length() -> None:
    kept = keep(rows_of(memoryview(b"x" * 100_000)))
    assert type(kept.body) is Elided
    assert len(kept.body) == 100_000
    assert kept.size_bytes == 100_000
    assert kept.part_id == b"1" * 16


def test_bodies_are_told_apart_by_their_ends() -> None:
    one, other = b"a" * 5_000, b"a" * 4_999 + b"b"
    assert keep(one) == keep(memoryview(one)) != keep(other)


def test_a_small_view_does_not_keep_alive_what_it_is_a_view_of() -> None:
    assert type(keep(memoryview(b"x" * 10_000)[:8])) is bytes


def test_a_schema_is_kept_whole_since_machines_look_into_it() -> None:
    ddl = Ddl("p_1v0", 7, 1, 1, DdlKind.CREATE, b"s" * 5_000)
    assert keep(ddl) == ddl


@dataclass
class Open:
    name: str
    rows: list[bytes] = field(default_factory=list)


def test_what_changes_is_copied() -> None:
    value = Open("a", [b"1"])
    kept = keep(value)
    value.rows.append(b"2")
    assert kept == Open("a", [b"1"])


def test_an_error_is_kept_without_its_traceback() -> None:
    try:
        raise Invalid("not so", field="name", code=7)
    except Invalid as error:
        kept = keep(error)
    assert (kept.message, kept.field, kept.code) == ("not so", "name", 7)
    assert kept.__traceback__ is None


def test_a_function_is_kept_by_its_name() -> None:
    assert keep(rows_of) == Opaque("rows_of")
    assert keep(partial(rows_of, b"")) == Opaque("partial")


@pytest.mark.parametrize(
    "value",
    [
        None,
        1 << 63,
        float("inf"),
        "text",
        b"bytes",
        ("t", ["l", {"d": frozenset({1, 2})}], {3}),
        Role.PROXY,
        rows_of(b"small"),
        PutFailed(SyncKey("p_1v0", 2, 3), frozenset({"a"}), "no"),
        CheckpointRecord(start=Position("p", 1, 1), position=Position("p", 3, 4)),
    ],
)
def test_a_value_comes_back_from_text(value: object) -> None:
    assert again(value) == value
    assert type(again(value)) is type(value)


def test_an_error_comes_back_from_text() -> None:
    error = again(Invalid("not so", field="name"))
    assert isinstance(error, Invalid)
    assert (error.message, error.field) == ("not so", "name")


def test_only_classes_of_headrace_are_made() -> None:
    for path in ("subprocess:Popen", "headrace.runtime.journal.values:keep", "os:system"):
        with pytest.raises(ValueError, match="no class of Headrace"):
            unpack(["o", path, {}])
