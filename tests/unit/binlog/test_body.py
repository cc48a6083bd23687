"""Bodies of the log."""

import numpy as np
import pyarrow as pa
import pytest
from support.values.rows import SMALL, small_batch, vectors_array

from headrace.binlog import body
from headrace.binlog.columns import arrow_schema
from headrace.model.errors import Corrupt


def test_rows_come_back_equal_with_their_schema():
    batch = small_batch(list(range(50)))
    decoded = body.decode_rows(body.encode_rows(batch))
    assert decoded.equals(batch)
    assert decoded.schema.equals(arrow_schema(SMALL))


def test_columns_of_a_decoded_body_are_views_into_it():
    message = np.frombuffer(body.encode_rows(small_batch(list(range(50)))), np.uint8)
    vectors = body.decode_rows(memoryview(message)).column("embedding")
    first = vectors.flatten().buffers()[1].address
    start = message.__array_interface__["data"][0]
    assert start < first < start + len(message)


def test_a_slice_is_cut_to_what_it_shows():
    batch = small_batch(list(range(1000)))
    part = body.encode_rows(batch.slice(13, 7))
    assert len(part) < len(body.encode_rows(batch)) / 10
    assert body.decode_rows(part).equals(batch.slice(13, 7))


def test_payloads_of_nan_are_kept_bit_by_bit():
    bits = np.array([[0x7FC00001, 0xFFC12345, 0x7F800001, 0x80000000]], dtype=np.uint32)
    batch = pa.record_batch([vectors_array(bits.view(np.float32))], names=["v"])
    decoded = body.decode_rows(body.encode_rows(batch))
    assert (decoded.column(0).flatten().to_numpy().view(np.uint32) == bits[0]).all()


@pytest.mark.parametrize("keys", [pa.array([1, -5, 2**62]), pa.array(["a", "", "ü"])])
def test_keys_of_deletes_come_back_equal(keys):
    assert body.decode_keys(body.encode_keys(keys)).equals(keys)


@pytest.mark.parametrize("junk", [b"", b"junk", b"\xff" * 64])
def test_what_is_no_body_is_corrupt(junk):
    with pytest.raises(Corrupt, match="no Arrow record batch"):
        body.decode_rows(junk)


def test_a_body_that_is_cut_short_is_corrupt():
    whole = body.encode_rows(small_batch(list(range(50))))
    with pytest.raises(Corrupt):
        body.decode_rows(whole[: len(whole) // 2])


def test_a_body_of_rows_is_no_body_of_keys():
    with pytest.raises(Corrupt, match="columns"):
        body.decode_keys(body.encode_rows(small_batch([1])))
