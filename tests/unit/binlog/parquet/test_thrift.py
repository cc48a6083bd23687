"""Thrift's compact protocol: what PyArrow makes is found, what we make is found again."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.binlog.parquet import thrift
from headrace.binlog.parquet.thrift import Kind, Value
from headrace.model.errors import Corrupt

NUMBERS = st.integers(-(2**63), 2**63 - 1)
SCALARS = st.one_of(
    NUMBERS.map(thrift.i64),
    st.integers(-(2**31), 2**31 - 1).map(thrift.i32),
    st.text(max_size=200).map(thrift.text),
    st.sampled_from([Value(Kind.TRUE, b""), Value(Kind.FALSE, b"")]),
    st.binary(min_size=8, max_size=8).map(lambda data: Value(Kind.DOUBLE, data)),
    st.binary(min_size=1, max_size=1).map(lambda data: Value(Kind.BYTE, data)),
)
FIELDS = st.recursive(
    st.dictionaries(st.integers(1, 400), SCALARS, max_size=6),
    lambda inner: st.dictionaries(
        st.integers(1, 400),
        st.one_of(
            inner.map(thrift.struct),
            st.lists(inner.map(thrift.struct), min_size=1, max_size=20).map(thrift.listed),
            st.lists(NUMBERS.map(thrift.i64), min_size=1, max_size=20).map(thrift.listed),
        ),
        max_size=4,
    ),
    max_leaves=8,
)


@given(FIELDS)
def test_the_fields_of_a_struct_are_found_as_they_were_made(fields):
    assert thrift.fields_of(thrift.struct(fields).data) == fields


@given(st.lists(st.text(max_size=5), min_size=1, max_size=40))
def test_the_items_of_a_list_are_found_as_they_were_made(texts):
    items = [thrift.text(t) for t in texts]
    assert thrift.items_of(thrift.listed(items)) == items


@given(NUMBERS)
def test_a_number_is_read_as_it_was_made(number):
    assert thrift.number_of(thrift.i64(number)) == number


def test_booleans_in_a_list_are_a_byte_each():
    value = Value(Kind.LIST, bytes([2 << 4 | Kind.TRUE, 1, 2]))
    outer = thrift.struct({1: value, 2: thrift.i32(7)})
    assert thrift.fields_of(outer.data)[1] == value
    assert [i.data for i in thrift.items_of(value)] == [b"\1", b"\2"]


def test_a_footer_of_pyarrow_is_understood_and_made_again_byte_by_byte():
    sink = io.BytesIO()
    table = pa.table({f"column {n}": pa.array([n, None, n], pa.int64()) for n in range(40)})
    pq.write_table(table, sink)
    data = sink.getvalue()
    footer = data[-8 - int.from_bytes(data[-8:-4], "little") : -8]
    fields = thrift.fields_of(footer)
    assert thrift.struct(fields).data == footer
    assert thrift.number_of(fields[3]) == 3
    (group,) = thrift.items_of(fields[4])
    assert len(thrift.items_of(thrift.fields_of(group.data)[1])) == 40


@pytest.mark.parametrize("length", range(1, 12))
def test_what_is_cut_short_is_corrupt(length):
    data = thrift.struct({1: thrift.text("abcdef"), 2: thrift.i32(-300)}).data
    assert len(data) == 12
    with pytest.raises(Corrupt, match="short"):
        thrift.fields_of(data[:length])


def test_an_unknown_type_is_corrupt():
    with pytest.raises(Corrupt, match="no type 13"):
        thrift.fields_of(bytes([1 << 4 | 13, 0]))
