"""The schema file and the generated code are what the dataclasses say."""

from pathlib import Path

import pytest
from google.protobuf.descriptor import FieldDescriptor

from headrace.gen import rpc_pb2
from headrace.rpc.codec import shapes
from headrace.rpc.messages import RESPONSE_OF
from headrace.rpc.protofile import message_types, render

TYPES = {
    int: FieldDescriptor.TYPE_INT64,
    bool: FieldDescriptor.TYPE_BOOL,
    float: FieldDescriptor.TYPE_DOUBLE,
    bytes: FieldDescriptor.TYPE_BYTES,
}


def test_the_schema_file_is_current() -> None:
    stored = Path(__file__).parents[3] / "proto" / "rpc.proto"
    assert stored.read_text() == render(), "run `make proto`"


@pytest.mark.parametrize("kind", message_types(), ids=lambda kind: kind.__name__)
def test_the_generated_code_is_current(kind: type) -> None:
    fields = rpc_pb2.DESCRIPTOR.message_types_by_name[kind.__name__].fields
    assert [f.name for f in fields] == list(shapes(kind)), "run `make proto`"
    for number, (field, shape) in enumerate(
        zip(fields, shapes(kind).values(), strict=True), start=1
    ):
        assert field.number == number
        assert field.is_repeated == shape.repeated
        if shape.is_message:
            assert field.message_type.name == shape.kind.__name__
        else:
            assert field.type == TYPES.get(shape.kind, FieldDescriptor.TYPE_STRING)


def test_no_message_is_left_over_in_the_generated_code() -> None:
    assert set(rpc_pb2.DESCRIPTOR.message_types_by_name) == {k.__name__ for k in message_types()}


def test_the_service_has_every_request() -> None:
    methods = rpc_pb2.DESCRIPTOR.services_by_name["Headrace"].methods
    assert {m.name: m.output_type.name for m in methods} == {
        request.__name__: response.__name__ for request, response in RESPONSE_OF.items()
    }
