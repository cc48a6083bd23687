"""Calls to a front door: Milvus's messages over gRPC, errors sorted by what to do about them."""

import base64
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import grpc
import grpc.aio
from google.protobuf.message_factory import GetMessageClass

from headrace.model.errors import HeadraceError, Invalid, NotFound, Unavailable
from headrace.model.refusals import INTERNAL_CODE, RATE_LIMIT_CODE, Refusal
from headrace.model.schema import DYNAMIC_FIELD, DataType, Field, Scalar, Schema
from headrace.model.timestamp import Timestamp
from headrace.proxy.collections.schema_check import schema_message
from headrace.proxy.milvus import SERVICE, Message, common_pb, pb
from headrace.proxy.write.identity import FIRST_SENT_HEADER, KEY_HEADER

CALL_S = 70.0  # above the server's own limit of 60 s, which then says more
LOG_FULL_CODE = Refusal.LOG_FULL.value.code
_AGAIN_CODES = frozenset({RATE_LIMIT_CODE, LOG_FULL_CODE, INTERNAL_CODE})
_OURS = frozenset(  # the request is wrong, and stays so
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)
_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
)


class OutcomeUnknown(HeadraceError):
    """The batch was first sent longer ago than keys are kept: nobody can tell what became of it."""


@dataclass(frozen=True, slots=True)
class Described:
    """A collection as its server describes it."""

    id: int
    created: Timestamp
    schema: Schema


class Connection:
    """To one front door. Methods raise `Unavailable` for what may be repeated as it is."""

    def __init__(self, uri: str, token: str = "") -> None:
        parts = urlsplit(uri if "://" in uri else f"http://{uri}")
        if parts.scheme not in ("http", "https", "tcp") or not parts.hostname:
            raise Invalid(f"--uri {uri}: it is spelt http://HOST:PORT")
        self.uri = uri
        target = f"{parts.hostname}:{parts.port or 19530}"
        if parts.scheme == "https":
            credentials = grpc.ssl_channel_credentials()
            self._channel = grpc.aio.secure_channel(target, credentials, options=_OPTIONS)
        else:
            self._channel = grpc.aio.insecure_channel(target, options=_OPTIONS)
        self._headers: tuple[tuple[str, str], ...] = ()
        if token:
            self._headers = (("authorization", base64.b64encode(token.encode()).decode()),)

    async def close(self) -> None:
        await self._channel.close(None)

    async def timestamp(self) -> Timestamp:
        """A timestamp that was just given out."""
        answer = await self._ask("AllocTimestamp", pb.AllocTimestampRequest())
        return int(answer.timestamp)

    async def describe(self, collection: str) -> Described:
        """`NotFound` when there is none."""
        request = pb.DescribeCollectionRequest(collection_name=collection)
        answer = await self._ask("DescribeCollection", request)
        schema = schema_of(answer.schema)
        return Described(answer.collectionID, answer.created_timestamp, schema)

    async def create(self, collection: str, schema: Schema, shards: int) -> None:
        """Make a collection; one with the same schema that is there already will do."""
        message = schema_message(collection, schema)
        request = pb.CreateCollectionRequest(
            collection_name=collection, schema=message.SerializeToString(), shards_num=shards
        )
        await self._ask("CreateCollection", request)

    async def insert(self, data: bytes, key: str, first_sent: Timestamp) -> Timestamp:
        """An encoded InsertRequest; the timestamp under which its rows stand. A repetition under
        the same key gets the first result. `OutcomeUnknown`: see there."""
        headers = ((KEY_HEADER, key), (FIRST_SENT_HEADER, str(first_sent)))
        answer = await self._send("Insert", data, headers)
        return int(answer.timestamp)

    async def begin_flush(self, collection: str) -> Timestamp:
        """Have everything written so far put into files; the timestamp to ask `flushed` for."""
        request = pb.FlushRequest(collection_names=[collection])
        answer = await self._ask("Flush", request)
        return int(answer.coll_flush_ts[collection])

    async def flushed(self, collection: str, at: Timestamp) -> bool:
        """Whether all up to that timestamp is in files that are listed."""
        request = pb.GetFlushStateRequest(collection_name=collection, flush_ts=at)
        answer = await self._ask("GetFlushState", request)
        return bool(answer.flushed)

    async def _ask(self, method: str, request: Message) -> Message:
        return await self._send(method, request.SerializeToString(), ())

    async def _send(
        self, method: str, data: bytes, headers: tuple[tuple[str, str], ...]
    ) -> Message:
        call: Any = self._channel.unary_unary(f"/{SERVICE.full_name}/{method}", None, None)
        try:
            answered = await call(data, timeout=CALL_S, metadata=(*self._headers, *headers))
        except grpc.aio.AioRpcError as error:
            text = f"{self.uri}: {error.details() or error.code().name}"
            if error.code() in _OURS:
                raise Invalid(text) from None
            raise Unavailable(text) from None
        answer = GetMessageClass(SERVICE.methods_by_name[method].output_type).FromString(answered)
        _check(answer if isinstance(answer, common_pb.Status) else answer.status)
        return answer


def _check(status: Message) -> None:
    if not status.code:
        return
    if status.reason == Refusal.OUTCOME_UNKNOWN.value.text:
        raise OutcomeUnknown(status.reason)
    if status.code in _AGAIN_CODES:
        raise Unavailable(status.reason)
    if status.code == Refusal.COLLECTION_NOT_FOUND.value.code:
        raise NotFound(status.reason, code=status.code)
    raise Invalid(status.reason, code=status.code)


def schema_of(message: Message) -> Schema:
    """The schema that a server describes; `Invalid` when it has a type that is not known here."""
    fields = []
    for item in message.fields:
        parameters = {p.key: p.value for p in item.type_params}
        member = item.default_value.WhichOneof("data")
        default: Scalar = getattr(item.default_value, member) if member else None
        try:
            kind, element = DataType(item.data_type), DataType(item.element_type)
        except ValueError:
            raise Invalid(f"field {item.name!r} has a type that ingest does not know") from None
        fields.append(
            Field(
                id=item.fieldID,
                name=item.name,
                type=kind,
                element_type=element,
                primary=item.is_primary_key,
                auto_id=item.autoID,
                nullable=item.nullable,
                max_length=int(parameters.get("max_length", 0)),
                dim=int(parameters.get("dim", 0)),
                max_capacity=int(parameters.get("max_capacity", 0)),
                default=default,
                has_default=member is not None,
            )
        )
    if message.enable_dynamic_field:
        last = fields[-1].id + 1
        fields.append(Field(id=last, name=DYNAMIC_FIELD, type=DataType.JSON, dynamic=True))
    return Schema(fields=tuple(fields))
