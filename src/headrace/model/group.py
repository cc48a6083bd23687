"""Groups: one message of the log, as bytes and back.

Layout: `HRG1`, u32 length of the head, u32 CRC-32 of the head, the protobuf head
(`headrace.log.v1.GroupHead`), padding, and the bodies at offsets that are multiples of 64 from the
start of the message, so that Arrow reads columns in place. Bodies are never copied: `encode`
returns parts for `writev`, `decode` returns views into the message. Messages carry (term, number in
the term); TermStart carries number 0 and no term.
"""

import struct
import zlib
from dataclasses import dataclass

from headrace.gen import group_pb2 as pb
from headrace.model.entry import (
    Body,
    Ddl,
    DdlKind,
    Digest,
    DigestItem,
    Entry,
    Rows,
    Seal,
    SegmentRows,
    TermStart,
    Tick,
)
from headrace.model.errors import Corrupt
from headrace.model.ids import Term
from headrace.model.timestamp import Timestamp

MAGIC = b"HRG1"
ALIGNMENT = 64
_PREFIX = struct.Struct("<4sII")


@dataclass(frozen=True, slots=True)
class Group:
    """One message: the entries of many requests in the order of their timestamps."""

    term: Term  # 0 in a TermStart's group, whose own message id is the term
    number: int  # in the term, 0 is the TermStart's
    entries: tuple[Entry, ...]

    @property
    def first_timestamp(self) -> Timestamp:
        """Of the first entry."""
        return self.entries[0].timestamp

    @property
    def last_timestamp(self) -> Timestamp:
        """Of the last entry."""
        return self.entries[-1].timestamp


def encode(group: Group) -> list[Body]:
    """The message as parts to be written one after the other; equal groups give equal bytes."""
    head = pb.GroupHead(term=group.term, number=group.number)
    bodies: list[Body] = []
    place = 0
    for entry in group.entries:
        item = head.entries.add(timestamp=entry.timestamp)
        match entry:
            case Rows():
                _fill_rows(item.rows, entry)
                for ref, body in (
                    (item.rows.body, entry.body),
                    (item.rows.delete_body, entry.delete_body),
                ):
                    if len(body):
                        ref.offset, ref.length = place, len(body)
                        bodies += [body, bytes(-len(body) % ALIGNMENT)]
                        place += len(body) + -len(body) % ALIGNMENT
            case TermStart():
                item.term_start.server_id = entry.server_id
                item.term_start.address = entry.address
            case Tick():
                item.tick.SetInParent()
            case Seal():
                item.seal.vchannel, item.seal.segment_id = entry.vchannel, entry.segment_id
            case Ddl():
                item.ddl.vchannel, item.ddl.kind = entry.vchannel, entry.kind.value
                item.ddl.collection_id, item.ddl.version = entry.collection_id, entry.version
                item.ddl.schema, item.ddl.partition_id = entry.schema, entry.partition_id
            case Digest():
                _fill_digest(item.digest, entry)
    data = head.SerializeToString(deterministic=True)
    start = _PREFIX.size + len(data)
    prefix = _PREFIX.pack(MAGIC, len(data), zlib.crc32(data))
    return [prefix, data, bytes(-start % ALIGNMENT), *bodies]


def decode(message: Body, where: str = "") -> Group:
    """The group of a message, bodies as views into it; `Corrupt` naming `where` otherwise."""
    view = memoryview(message)
    if len(view) < _PREFIX.size:
        raise Corrupt(f"message of {len(view)} bytes is no group", channel=where)
    magic, length, crc = _PREFIX.unpack_from(view)
    data = view[_PREFIX.size : _PREFIX.size + length]
    if magic != MAGIC or len(data) != length or zlib.crc32(data) != crc:
        raise Corrupt("message is no group: its head is not what we wrote", channel=where)
    head = pb.GroupHead.FromString(bytes(data))
    start = _PREFIX.size + length
    bodies = view[start + -start % ALIGNMENT :]
    entries = tuple(_entry(item, bodies, where) for item in head.entries)
    if not entries:
        raise Corrupt("group without entries", channel=where)
    return Group(head.term, head.number, entries)


def _entry(item: pb.Entry, bodies: memoryview, where: str) -> Entry:
    kind = item.WhichOneof("kind")
    ts = item.timestamp
    if kind == "rows":
        return _rows(item.rows, ts, bodies, where)
    if kind == "term_start":
        return TermStart(ts, item.term_start.server_id, item.term_start.address)
    if kind == "tick":
        return Tick(ts)
    if kind == "seal":
        return Seal(item.seal.vchannel, ts, item.seal.segment_id)
    if kind == "ddl":
        d = item.ddl
        return Ddl(
            d.vchannel, ts, d.collection_id, d.version, DdlKind(d.kind), d.schema, d.partition_id
        )
    if kind == "digest":
        return _digest(item.digest, ts)
    raise Corrupt(f"entry of unknown kind {kind!r}", channel=where)


def _fill_rows(out: pb.Rows, entry: Rows) -> None:
    out.vchannel, out.collection_id = entry.vchannel, entry.collection_id
    out.partition_id, out.version = entry.partition_id, entry.version
    out.part_id, out.fingerprint = entry.part_id, entry.fingerprint
    out.first_sent, out.keyed = entry.first_sent, entry.keyed
    out.rows, out.first_row_id, out.deletes = entry.rows, entry.first_row_id, entry.deletes
    out.delete_partition_id = entry.delete_partition_id
    for s in entry.segments:
        out.segments.add(segment_id=s.segment_id, first_row=s.first_row, rows=s.rows, opens=s.opens)


def _rows(r: pb.Rows, ts: Timestamp, bodies: memoryview, where: str) -> Rows:
    def body(ref: pb.BodyRef) -> Body:
        view = bodies[ref.offset : ref.offset + ref.length]
        if len(view) != ref.length:
            raise Corrupt("group is cut short: a body is missing", channel=where)
        return view if ref.length else b""

    return Rows(
        vchannel=r.vchannel,
        timestamp=ts,
        collection_id=r.collection_id,
        partition_id=r.partition_id,
        version=r.version,
        part_id=r.part_id,
        fingerprint=r.fingerprint,
        first_sent=r.first_sent,
        keyed=r.keyed,
        rows=r.rows,
        first_row_id=r.first_row_id,
        segments=tuple(SegmentRows(s.segment_id, s.first_row, s.rows, s.opens) for s in r.segments),
        body=body(r.body),
        deletes=r.deletes,
        delete_body=body(r.delete_body),
        delete_partition_id=r.delete_partition_id,
    )


def _fill_digest(out: pb.Digest, entry: Digest) -> None:
    out.previous, out.floor, out.since = entry.previous, entry.floor, entry.since
    for i in entry.items:
        out.items.add(
            part_id=i.part_id,
            fingerprint=i.fingerprint,
            first_sent=i.first_sent,
            message_id=i.message_id,
            index=i.index,
            keyed=i.keyed,
        )


def _digest(d: pb.Digest, ts: Timestamp) -> Digest:
    items = tuple(
        DigestItem(i.part_id, i.fingerprint, i.first_sent, i.message_id, i.index, i.keyed)
        for i in d.items
    )
    return Digest(ts, d.previous, d.floor, d.since, items)
