"""Messages become groups up to the first that is none."""

from headrace.datanode.consume.fetch import decode
from headrace.log.api import Message
from headrace.model import group
from headrace.model.entry import Rows, SegmentRows, Tick
from headrace.model.group import Group


def message(message_id: int, data: bytes) -> Message:
    return Message(message_id, data)


def test_bodies_are_views_of_the_message() -> None:
    rows = Rows(
        vchannel="p_1v0",
        timestamp=5,
        collection_id=1,
        partition_id=2,
        version=1,
        part_id=b"x",
        fingerprint=b"y",
        first_sent=1,
        keyed=False,
        rows=1,
        segments=(SegmentRows(3, 0, 1, True),),
        body=b"b" * 100,
    )
    data = b"".join(group.encode(Group(1, 1, (rows,))))
    groups, corrupt = decode("p", [message(7, data)])
    assert not corrupt
    assert (groups[0].message_id, groups[0].size_bytes) == (7, len(data))
    entry = groups[0].group.entries[0]
    assert isinstance(entry, Rows)
    assert isinstance(entry.body, memoryview)
    assert entry.body.obj is data


def test_what_comes_before_a_corrupt_message_is_kept() -> None:
    fine = b"".join(group.encode(Group(1, 1, (Tick(5),))))
    groups, corrupt = decode("p", [message(7, fine), message(8, b"nonsense"), message(9, fine)])
    assert [g.message_id for g in groups] == [7]
    assert corrupt.startswith("message 8 of p: ")
