"""SchemaVersions of a collection, as its vchannel tells them."""

import pytest
from support.players.datanode import SCHEMA, at, vchannel
from support.values.rows import SMALL

from headrace.datanode.dispatch.versions import SchemaVersions
from headrace.model.entry import Ddl, DdlKind
from headrace.model.errors import Corrupt
from headrace.rpc.messages import Watch, WatchedSchema


def versions(*noted: tuple[int, int], seek: str = "5.00") -> SchemaVersions:
    """`noted` are (version, timestamp of its DDL or 0)."""
    watch = Watch(
        vchannel=vchannel("a"),
        epoch=1,
        collection_id=1,
        seek=at(seek),
        deletes_checkpoint=None,
        schemas=tuple(WatchedSchema(version=v, schema=SMALL, timestamp=t) for v, t in noted),
        segments=(),
    )
    return SchemaVersions(watch)


def ddl(version: int, schema: bytes = SCHEMA) -> Ddl:
    return Ddl(vchannel("a"), 600, 1, version, DdlKind.ALTER, schema)


def test_the_version_in_force_at_the_seek_position_is_present() -> None:
    assert versions((1, 100), (2, 400), (3, 700)).present == 2


def test_before_the_first_ddl_no_version_is_present() -> None:
    assert versions((1, 700)).present == 0
    assert versions((1, 0)).present == 0


def test_a_ddl_not_above_the_present_version_is_a_no_op() -> None:
    known = versions((2, 400))
    assert not known.raised(ddl(2))
    assert not known.raised(ddl(1))
    assert known.raised(ddl(3))
    assert known.present == 3


def test_rows_prove_a_version_that_was_recorded_and_not_noted() -> None:
    known = versions((2, 400), (3, 0))
    known.named(2)
    known.named(3)
    assert known.present == 3


@pytest.mark.parametrize("version", [1, 4])
def test_rows_of_a_version_that_cannot_be_in_force_are_corrupt(version: int) -> None:
    with pytest.raises(Corrupt):
        versions((2, 400)).named(version)


def test_a_schema_comes_from_the_watch_or_from_its_ddl() -> None:
    known = versions((2, 400))
    assert known.schema(2) == SMALL
    known.raised(ddl(3, b""))
    assert known.schema(3) == SMALL
    known.raised(ddl(4, b"{}"))
    with pytest.raises(Corrupt):
        known.schema(4)
    with pytest.raises(Corrupt):
        known.schema(9)
