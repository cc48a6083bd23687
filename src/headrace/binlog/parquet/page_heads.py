"""The structs before the bytes of a Parquet page and of a column chunk, made and read back.

Source: `parquet.thrift` of Apache Parquet's format.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from headrace.binlog.parquet import thrift
from headrace.model.entry import Body
from headrace.model.errors import Corrupt

_UNCOMPRESSED = 0
_CRC_SIGN = 1 << 32
_INT32_MAX = (1 << 31) - 1


class PageKind(IntEnum):
    """Pages of version 1."""

    DATA = 0
    DICTIONARY = 2


class Encoding(IntEnum):
    """Those of our values and levels."""

    PLAIN = 0
    RLE = 3
    RLE_DICTIONARY = 8


class Physical(IntEnum):
    """How a number is stored."""

    INT32 = 1
    FLOAT = 4


@dataclass(frozen=True, slots=True)
class PageHead:
    """What a head says. `size_bytes` = what stands behind it; `crc` None: nothing to check."""

    kind: PageKind
    size_bytes: int
    values: int
    encoding: Encoding
    crc: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A column chunk: parts to be written one after the other, and its size with page heads.

    `values` counts empty lists too. `view_bytes` = how much of it are views of what it was made of.
    """

    parts: tuple[Body, ...] = field(repr=False)
    size_bytes: int
    values: int
    physical: Physical
    dictionary_bytes: int = 0  # of the dictionary's page with its head, which stands first
    view_bytes: int = 0

    def described(self, path: Sequence[str], start: int) -> thrift.Value:
        """The `ColumnChunk` of a footer, for parts that begin at byte `start` of the file."""
        encodings = [Encoding.PLAIN, Encoding.RLE]
        if self.dictionary_bytes:
            encodings.append(Encoding.RLE_DICTIONARY)
        meta = {
            1: thrift.i32(self.physical),
            2: thrift.listed([thrift.i32(e) for e in encodings]),
            3: thrift.listed([thrift.text(part) for part in path]),
            4: thrift.i32(_UNCOMPRESSED),
            5: thrift.i64(self.values),
            6: thrift.i64(self.size_bytes),
            7: thrift.i64(self.size_bytes),
            9: thrift.i64(start + self.dictionary_bytes),
        }
        if self.dictionary_bytes:
            meta[11] = thrift.i64(start)
        return thrift.struct({2: thrift.i64(0), 3: thrift.struct(meta)})


def page(
    kind: PageKind, values: int, encoding: Encoding, parts: Sequence[Body], *, checksum: bool = True
) -> list[Body]:
    """A page of these parts behind its head; the first, which is short, is joined to it."""
    size = sum(map(len, parts))
    assert size <= _INT32_MAX, "Parquet's pages have less than 2 GiB"
    own = {1: thrift.i32(values), 2: thrift.i32(encoding)}
    if kind == PageKind.DATA:
        own |= {3: thrift.i32(Encoding.RLE), 4: thrift.i32(Encoding.RLE)}
    head = {1: thrift.i32(kind), 2: thrift.i32(size), 3: thrift.i32(size)}
    if checksum:
        head[4] = thrift.i32(_signed(crc_of(parts)))
    head[5 if kind == PageKind.DATA else 7] = thrift.struct(own)
    return [thrift.struct(head).data + parts[0], *parts[1:]]


def crc_of(parts: Sequence[Body], before: int = 0) -> int:
    """The checksum of a page's bytes, or of more of them after `before`."""
    for part in parts:
        before = zlib.crc32(part, before)
    return before


def parsed(data: bytes) -> tuple[PageHead, int]:
    """The head at the beginning of `data`, and its length; `Corrupt` when it is none of ours."""
    fields, length = thrift.fields_and_end(data)
    kind = _number(fields, 1)
    if kind not in (PageKind.DATA, PageKind.DICTIONARY):
        raise Corrupt(f"a page of kind {kind}")
    size = _number(fields, 3)
    if size != _number(fields, 2) or size < 0:
        raise Corrupt(f"a page of {size} bytes is compressed")
    place = 5 if kind == PageKind.DATA else 7
    if place not in fields or fields[place].kind != thrift.Kind.STRUCT:
        raise Corrupt("a page without what its kind is about")
    own, _ = thrift.fields_and_end(fields[place].data)
    values, encoding = _number(own, 1), _number(own, 2)
    levels = {_number(own, n) for n in (3, 4)} if kind == PageKind.DATA else {Encoding.RLE}
    if encoding not in set(Encoding) or levels != {Encoding.RLE} or values < 0:
        raise Corrupt(f"a page of {values} values in encoding {encoding}, its levels in {levels}")
    crc = _number(fields, 4) % _CRC_SIGN if 4 in fields else None
    return PageHead(PageKind(kind), size, values, Encoding(encoding), crc), length


def _number(fields: dict[int, thrift.Value], place: int) -> int:
    value = fields.get(place)
    if value is None or value.kind != thrift.Kind.I32:
        raise Corrupt(f"a page's head has no number {place}")
    return thrift.number_of(value)


def _signed(crc: int) -> int:
    return crc - _CRC_SIGN if crc > _INT32_MAX else crc
