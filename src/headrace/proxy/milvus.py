"""Milvus's public protocol: the generated messages that come with `pymilvus`, imported cheaply.

Importing `pymilvus` itself runs the whole client (pandas included: seconds, and some 100 MB); its
generated code needs none of it. So that is imported through a bare package module which knows only
where the package lies, and which is taken away again: a later import of the real client in the same
process works, with the same messages.
"""

import importlib
import importlib.util
import sys
import types
from typing import Any, TypeAlias

from google.protobuf.message import DecodeError

from headrace.model.refusals import Refusal

Message: TypeAlias = Any  # a message of the generated code, which has no types that mypy may read


def _generated(name: str) -> Any:
    bare = "pymilvus" not in sys.modules
    if bare:
        spec = importlib.util.find_spec("pymilvus")
        if spec is None or spec.submodule_search_locations is None:
            raise ImportError("pymilvus, which brings Milvus's messages, is not installed")
        package = types.ModuleType("pymilvus")
        package.__path__ = list(spec.submodule_search_locations)
        sys.modules["pymilvus"] = package
    try:
        return importlib.import_module(f"pymilvus.grpc_gen.{name}")
    finally:
        if bare:
            del sys.modules["pymilvus"]


pb = _generated("milvus_pb2")
common_pb = _generated("common_pb2")
schema_pb = _generated("schema_pb2")


def parse(kind: Any, data: bytes) -> Message:
    """The message of these bytes; `Invalid` when they are none."""
    try:
        return kind.FromString(data)
    except DecodeError as error:
        name = kind.DESCRIPTOR.name
        raise Refusal.NOT_A_MESSAGE(at=name, message=name, reason=error) from error


SERVICE = pb.DESCRIPTOR.services_by_name["MilvusService"]
