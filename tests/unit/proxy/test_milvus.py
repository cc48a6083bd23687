"""Milvus's messages come without the client that they are part of."""

import subprocess
import sys

import pytest

from headrace.model.errors import Invalid
from headrace.proxy.milvus import SERVICE, parse, pb, schema_pb

PROGRAM = """
import sys
import headrace.proxy.milvus as milvus
assert "pandas" not in sys.modules and "pymilvus" not in sys.modules
{more}
"""


def run(more: str) -> None:
    program = PROGRAM.format(more=more)
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_the_client_is_not_imported() -> None:
    run("assert 'pymilvus.client' not in sys.modules")


def test_the_client_can_be_imported_later_with_the_same_messages() -> None:
    run(
        "import pymilvus\n"
        "from pymilvus.grpc_gen import milvus_pb2\n"
        "assert milvus_pb2 is milvus.pb and pymilvus.MilvusClient"
    )


def test_bytes_that_are_no_message_are_refused_by_its_name() -> None:
    assert parse(pb.InsertRequest, b"").num_rows == 0
    with pytest.raises(Invalid, match="not a CollectionSchema message"):
        parse(schema_pb.CollectionSchema, b"\xff")
    text = (
        pb.InsertRequest(collection_name="abc").SerializeToString().replace(b"abc", b"\xff\xff\xff")
    )
    with pytest.raises(Invalid, match="not a InsertRequest message"):
        parse(pb.InsertRequest, text)


def test_the_service_has_its_methods() -> None:
    assert "Insert" in SERVICE.methods_by_name
