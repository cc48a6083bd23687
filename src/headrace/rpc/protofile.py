"""`proto/rpc.proto`, written from `rpc.messages`: `python -m headrace.rpc.protofile`.

**Owns** the text of the schema that other languages may read and from which `gen.rpc_pb2` is made
(`tools/proto.sh`). **Does not own** the messages; a test says when the file is not current.
"""

import dataclasses
import inspect
import sys
from enum import StrEnum
from typing import Any

from headrace.rpc.codec import ErrorDetails, Shape, shapes
from headrace.rpc.messages import (
    RESPONSE_OF,
    data_node,
    data_service,
    master_service,
    registry,
    sequencer,
    status,
)

_MODULES = (registry, status, master_service, sequencer, data_service, data_node)
_SCALARS = {int: "int64", bool: "bool", float: "double", str: "string", bytes: "bytes"}

_HEAD = """\
// What the roles say to each other. Written from headrace/rpc/messages by
// headrace.rpc.protofile: change the dataclasses, then run `make proto`.
//
// An error travels as an ErrorDetails in the trailing metadata `headrace-error-bin`.

syntax = "proto3";

package headrace.v1;
"""


def message_types() -> list[type]:
    """Every message: what others use comes before them."""
    found: dict[type, None] = {}

    def visit(kind: Any) -> None:
        for shape in shapes(kind).values():
            if shape.is_message and shape.kind not in found:
                visit(shape.kind)
        found[kind] = None

    for module in _MODULES:
        for kind in vars(module).values():
            if dataclasses.is_dataclass(kind) and kind.__module__ == module.__name__:
                visit(kind)
    visit(ErrorDetails)
    return list(found)


def render() -> str:
    """The whole file."""
    parts = [_HEAD]
    parts += [_message(kind) for kind in message_types()]
    parts.append(_service())
    return "\n".join(parts)


def _message(kind: type) -> str:
    text = inspect.getdoc(kind) or ""
    lines = [f"// {line}".rstrip() for line in text.splitlines()]
    lines.append(f"message {kind.__name__} {{")
    for number, (name, shape) in enumerate(shapes(kind).items(), start=1):
        lines.append(f"  {_type(shape)} {name} = {number};")
    return "\n".join([*lines, "}\n"])


def _type(shape: Shape) -> str:
    if shape.is_message:
        name = shape.kind.__name__
    elif issubclass(shape.kind, StrEnum):
        name = "string"
    else:
        name = _SCALARS[shape.kind]
    if shape.repeated:
        return f"repeated {name}"
    return f"optional {name}" if shape.optional else name


def _service() -> str:
    lines = ["// Every role serves the requests that are its own.", "service Headrace {"]
    for request, response in RESPONSE_OF.items():
        name = request.__name__
        lines.append(f"  rpc {name}(.headrace.v1.{name})")
        lines.append(f"      returns (.headrace.v1.{response.__name__});")
    return "\n".join([*lines, "}\n"])


if __name__ == "__main__":
    sys.stdout.write(render())
