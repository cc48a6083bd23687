"""Whatever is set in a request and not served is refused by name."""

from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from support.world.proxy import ProxyWorld, insert_request, simple_schema

from headrace.model.errors import Invalid
from headrace.proxy.door.served_fields import SERVED, refuse_unserved
from headrace.proxy.milvus import SERVICE, Message, pb, schema_pb

WRITES = ("CreateCollectionRequest", "InsertRequest", "UpsertRequest", "DeleteRequest")
PARTS = ("CollectionSchema", "FieldSchema", "FieldData", "MsgBase")
NUMBERS = (
    FieldDescriptor.CPPTYPE_INT32,
    FieldDescriptor.CPPTYPE_INT64,
    FieldDescriptor.CPPTYPE_UINT32,
    FieldDescriptor.CPPTYPE_UINT64,
    FieldDescriptor.CPPTYPE_ENUM,
    FieldDescriptor.CPPTYPE_FLOAT,
    FieldDescriptor.CPPTYPE_DOUBLE,
)


def set_field(message: Message, descriptor: Any) -> None:
    """Give a field some value that is not its default."""
    name = descriptor.name
    if descriptor.message_type is not None:
        if descriptor.message_type.GetOptions().map_entry:
            getattr(message, name)["x"]
        elif descriptor.is_repeated:
            getattr(message, name).add()
        else:
            getattr(message, name).SetInParent()
        return
    if descriptor.cpp_type in NUMBERS:
        value: Any = 1
    elif descriptor.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        value = True
    elif descriptor.type == FieldDescriptor.TYPE_BYTES:
        value = b"x"
    else:
        value = "x"
    if descriptor.is_repeated:
        getattr(message, name).append(value)
    else:
        setattr(message, name, value)


def kind_of(name: str) -> Any:
    for module in (pb, schema_pb):
        if name in module.DESCRIPTOR.message_types_by_name:
            return getattr(module, name)
    from headrace.proxy.milvus import common_pb

    return getattr(common_pb, name)


def every_field() -> Iterator[tuple[str, str]]:
    for name in (*WRITES, *PARTS):
        for descriptor in kind_of(name).DESCRIPTOR.fields:
            yield name, descriptor.name


@pytest.mark.parametrize(("message", "field"), list(every_field()))
def test_a_field_is_served_or_refused_by_name(message: str, field: str) -> None:
    kind = kind_of(message)
    instance = kind()
    set_field(instance, kind.DESCRIPTOR.fields_by_name[field])
    if field in SERVED[message]:
        refuse_unserved(instance)
        return
    with pytest.raises(Invalid, match=rf"{message}\.{field} is set") as caught:
        refuse_unserved(instance)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "field", ["namespace", "partial_update", "field_ops", "hash_keys", "no_such_field_yet"]
)
def test_what_would_change_a_write_is_not_in_the_table(field: str) -> None:
    assert all(field not in SERVED[name] for name in WRITES)


def test_the_table_names_only_fields_that_there_are() -> None:
    for name, served in SERVED.items():
        fields = kind_of(name).DESCRIPTOR.fields_by_name
        assert served <= set(fields), name


def test_every_served_method_has_its_request_in_the_table() -> None:
    world = ProxyWorld()
    for method in world.assembly.served:
        assert SERVICE.methods_by_name[method].input_type.name in SERVED


def test_parts_of_a_message_are_walked_too() -> None:
    request = insert_request("c", [1])
    request.fields_data[1].struct_arrays.SetInParent()
    with pytest.raises(Invalid, match=r"FieldData\.struct_arrays"):
        refuse_unserved(request)
    request = insert_request("c", [1])
    request.base.replicateInfo.SetInParent()
    with pytest.raises(Invalid, match=r"MsgBase\.replicateInfo"):
        refuse_unserved(request)


def test_a_field_of_a_newer_protocol_is_refused_by_its_number() -> None:
    newer = bytes([0xFA, 0x7F, 1, 65])  # field 2047, one byte
    kind = GetMessageClass(SERVICE.methods_by_name["Insert"].input_type)
    with pytest.raises(Invalid, match="InsertRequest has a field with number 2047"):
        refuse_unserved(kind.FromString(insert_request("c", [1]).SerializeToString() + newer))
    request = insert_request("c", [1])
    request.fields_data[0].MergeFromString(newer)
    with pytest.raises(Invalid, match="FieldData has a field with number 2047"):
        refuse_unserved(request)


async def test_the_front_door_refuses_by_the_table() -> None:
    async with ProxyWorld() as world:
        await world.create("c", simple_schema())
        request = insert_request("c", [1])
        request.namespace = "tenant"
        answer = await world.call("Insert", request)
        assert answer.status.code == 1100
        assert "InsertRequest.namespace" in answer.status.reason
        request = insert_request("c", [1], upsert=True)
        request.partial_update = True
        answer = await world.call("Upsert", request)
        assert "not served yet: upsert whole rows" in answer.status.reason
        assert world.sequencer.stored == {}
