"""The parts together: requests made by chance are refused in words, never broken on."""

import random
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from support.world.proxy import ProxyWorld, insert_request, simple_schema

from headrace.binlog.body import decode_rows
from headrace.proxy.call import ClientCall
from headrace.proxy.milvus import SERVICE, Message, pb, schema_pb

CASES = 400
TEXTS = ("", "x", "id", "v", "c", "default", "_default", "$meta", "\0", "id in [1]", "id == {k}")
NUMBERS = (0, 1, 2, 5, 21, 101, 100, 2**31 - 1)
FLOATS = (0.0, float("nan"), float("inf"), 1e30)
METHODS = ("Insert", "Insert", "Upsert", "Delete", "CreateCollection")


class Chance:
    """Requests from one seed: made well, then changed at random places."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def request(self, method: str) -> Message:
        """A good request, seven times in ten changed."""
        request = self._good(method)
        if self.random.random() < 0.7:
            self._change(request)
        return request

    def spoil(self, data: bytes) -> bytes:
        """Three times in ten some bytes are others."""
        spoiled = bytearray(data)
        if self.random.random() < 0.3:
            for _ in range(self.random.randint(1, 4)):
                spoiled[self.random.randrange(len(spoiled))] = self.random.randrange(256)
        return bytes(spoiled)

    def _good(self, method: str) -> Message:
        if method == "Delete":
            request = pb.DeleteRequest(collection_name="c", expr="id in {k}")
            request.expr_template_values["k"].array_val.long_data.data.extend([1, 2])
            return request
        if method == "CreateCollection":
            schema = simple_schema(dynamic=True)
            if self.random.random() < 0.5:
                self._change(schema)
            return pb.CreateCollectionRequest(
                collection_name=self.random.choice("cxy"), schema=schema.SerializeToString()
            )
        keys = [self.random.randint(-5, 5) for _ in range(self.random.randint(1, 5))]
        request = insert_request("c", keys, upsert=method == "Upsert")
        item = request.fields_data.add(field_name="t", type=schema_pb.DataType.Value("VarChar"))
        item.scalars.string_data.data.extend("ü" * n for n in range(len(keys) - 1))
        item.valid_data.extend([False] + [True] * (len(keys) - 1))
        item = request.fields_data.add(field_name="$meta", is_dynamic=True)
        item.scalars.json_data.data.extend([b'{"a": 1}'] * len(keys))
        return request

    def _change(self, message: Message) -> None:
        for _ in range(self.random.randint(1, 3)):
            descriptor = self.random.choice(list(message.DESCRIPTOR.fields))
            if descriptor.message_type is not None:
                self._change_part(message, descriptor)
            else:
                self._change_value(message, descriptor)

    def _change_part(self, message: Message, descriptor: Any) -> None:
        part = getattr(message, descriptor.name)
        if descriptor.message_type.GetOptions().map_entry:
            if descriptor.message_type.fields_by_name["value"].message_type is not None:
                self._change(part["k"])
        elif not descriptor.is_repeated:
            self._change(part)
        elif part and self.random.random() < 0.3:
            del part[self.random.randrange(len(part))]
        elif part and self.random.random() < 0.7:
            self._change(self.random.choice(part))
        else:
            self._change(part.add())

    def _change_value(self, message: Message, descriptor: Any) -> None:
        kinds: dict[int, tuple[Any, ...]] = {
            FieldDescriptor.CPPTYPE_STRING: TEXTS,
            FieldDescriptor.CPPTYPE_BOOL: (True, False),
            FieldDescriptor.CPPTYPE_FLOAT: FLOATS,
            FieldDescriptor.CPPTYPE_DOUBLE: FLOATS,
        }
        value = self.random.choice(kinds.get(descriptor.cpp_type, NUMBERS))
        if descriptor.type == FieldDescriptor.TYPE_BYTES:
            value = self.random.choice((b"", b"x", b"{}", b"\xff"))
        if not descriptor.is_repeated:
            setattr(message, descriptor.name, value)
            return
        values = getattr(message, descriptor.name)
        if values and self.random.random() < 0.4:
            del values[self.random.randrange(len(values)) :]
        else:
            values.append(value)


@pytest.mark.parametrize("seed", range(4))
async def test_requests_made_by_chance_are_stored_whole_or_refused_in_words(seed: int) -> None:
    chance = Chance(seed)
    field = {"name": "t", "data_type": "VarChar", "nullable": True}
    async with ProxyWorld() as world:
        schema = simple_schema(dynamic=True, fields=({**field, "parameters": {"max_length": 9}},))
        await world.create("c", schema, shards=2)
        done = 0
        for _ in range(CASES):
            method = chance.random.choice(METHODS)
            data = chance.spoil(chance.request(method).SerializeToString())
            call = ClientCall(method=method, clock=world.clock, deadline=60.0, request=data)
            answer = GetMessageClass(SERVICE.methods_by_name[method].output_type).FromString(
                await world.assembly.methods.answer(data, call)
            )
            status = answer if method == "CreateCollection" else answer.status
            assert status.code != 65_535, status
            assert bool(status.reason) == bool(status.code)
            done += status.code == 0
        assert CASES // 20 < done < CASES // 2
        for part in world.sequencer.stored.values():
            if part.rows:
                decode_rows(part.body).validate(full=True)


def test_the_served_methods_are_methods_of_the_protocol() -> None:
    assert set(ProxyWorld().assembly.served) <= set(SERVICE.methods_by_name)
