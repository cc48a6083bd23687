"""JetStream's API, as far as a pchannel needs it: requests and answers over one link.

Every function raises `Unavailable` when there is no answer. A stream that is absent is
`Unavailable` as well: a cluster that is electing says the same, and `ensure` makes a stream before
any process is told of its pchannel. Source: NATS JetStream's wire API (`$JS.API...`) and its error
table.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from headrace.log.link import Link
from headrace.log.wire import Delivery
from headrace.model.channel import PChannel
from headrace.model.entry import Body
from headrace.model.errors import Conflict, Invalid, Unavailable
from headrace.model.ids import MessageId

# Error codes of the server, from its table.
NAME_IN_USE = 10058
NOT_FOUND = 10059
WRONG_LAST_SEQUENCE = (10071, 10164)  # the second: of a replicated stream that has one under way
TOO_LARGE = (10054,)

NANOSECONDS = 1_000_000_000
CONSUMER_IDLE_S = 60  # the server forgets a consumer that nobody asks for so long


@dataclass(frozen=True, slots=True)
class StreamState:
    """First and last message; `first` is `last` + 1 when none is there."""

    first: MessageId
    last: MessageId


async def create_stream(
    link: Link, pchannel: PChannel, replicas: int, *, timeout_s: float
) -> StreamState:
    """Make the stream, or see that the one that is there has no limits; `Invalid` if it has."""
    config = {
        "name": pchannel,
        "subjects": [pchannel],
        "storage": "file",
        "retention": "limits",
        "discard": "new",
        "max_consumers": -1,
        "max_msgs": -1,
        "max_bytes": -1,
        "max_age": 0,
        "max_msg_size": -1,
        "num_replicas": replicas,
        "allow_direct": True,
        "deny_delete": True,
    }
    answer = await _ask(link, f"STREAM.CREATE.{pchannel}", config, timeout_s)
    if _code(answer) == NAME_IN_USE:
        answer = await _ask(link, f"STREAM.INFO.{pchannel}", {}, timeout_s)
    _raise_error(answer, pchannel)
    actual = answer.get("config", {})
    for name in ("storage", "subjects", "retention", "max_msgs", "max_bytes", "max_age"):
        if actual.get(name, 0) != config[name]:
            raise Invalid(
                f"stream {pchannel} has {name} = {actual.get(name)!r}, which is not the log's "
                f"{config[name]!r}: it would lose messages",
                field="log.servers",
            )
    if not actual.get("allow_direct"):
        raise Invalid(f"stream {pchannel} has no allow_direct", field="log.servers")
    return _state(answer)


async def stream_state(link: Link, pchannel: PChannel, *, timeout_s: float) -> StreamState:
    """The stream's state at its leader."""
    answer = await _ask(link, f"STREAM.INFO.{pchannel}", {}, timeout_s)
    _raise_error(answer, pchannel)
    return _state(answer)


async def append(
    link: Link,
    pchannel: PChannel,
    parts: Sequence[Body],
    expected_last: MessageId,
    *,
    timeout_s: float,
) -> MessageId:
    """Append behind `expected_last`; its id. Errors as `Log.append`."""
    delivery = await link.request(
        pchannel,
        parts,
        headers=f"Nats-Expected-Last-Sequence: {expected_last}\r\n",
        timeout_s=timeout_s,
    )
    answer = _parse(delivery)
    code = _code(answer)
    if code in WRONG_LAST_SEQUENCE:
        raise Conflict(f"{pchannel}: {expected_last} is not the last message: {_said(answer)}")
    if code in TOO_LARGE:
        raise Invalid(f"{pchannel}: {_said(answer)}", field="message")
    _raise_error(answer, pchannel)
    return int(answer["seq"])


async def get(
    link: Link, pchannel: PChannel, message_id: MessageId, *, timeout_s: float
) -> Body | None:
    """The message's bytes from any replica, or None when that has none of this id."""
    delivery = await link.request(
        f"$JS.API.DIRECT.GET.{pchannel}",
        [json.dumps({"seq": message_id}).encode()],
        timeout_s=timeout_s,
    )
    if delivery.status == 404:
        return None
    if delivery.status or int(delivery.header("Nats-Sequence") or 0) != message_id:
        raise Unavailable(f"{pchannel}: message {message_id}: {delivery.status_text}")
    return delivery.payload


async def purge(link: Link, pchannel: PChannel, below: MessageId, *, timeout_s: float) -> None:
    """Drop what is below the id, even the last message: the caller sees that it is kept."""
    answer = await _ask(link, f"STREAM.PURGE.{pchannel}", {"seq": below}, timeout_s)
    _raise_error(answer, pchannel)


async def create_consumer(
    link: Link, pchannel: PChannel, name: str, start: MessageId, *, timeout_s: float
) -> None:
    """A consumer that nothing outlives: no acknowledgements, in memory, forgotten when idle."""
    config = {
        "name": name,
        "deliver_policy": "by_start_sequence",
        "opt_start_seq": start,
        "ack_policy": "none",
        "replay_policy": "instant",
        "inactive_threshold": CONSUMER_IDLE_S * NANOSECONDS,
        "num_replicas": 1,
        "mem_storage": True,
    }
    answer = await _ask(
        link,
        f"CONSUMER.CREATE.{pchannel}.{name}",
        {"stream_name": pchannel, "config": config},
        timeout_s,
    )
    _raise_error(answer, pchannel)


async def delete_consumer(link: Link, pchannel: PChannel, name: str, *, timeout_s: float) -> None:
    """Forget the consumer now; absent is as good."""
    await _ask(link, f"CONSUMER.DELETE.{pchannel}.{name}", {}, timeout_s)


def pull(
    link: Link,
    pchannel: PChannel,
    name: str,
    reply: str,
    *,
    batch: int,
    max_bytes: int,
    expires_s: float,
    heartbeat_s: float,
) -> None:
    """Ask a consumer for its next messages, to be delivered at `reply`; waits for nothing.

    Ends with a status at `reply` unless `batch` messages came: 408 or 404 nothing more in time, 409
    the credit of `max_bytes` (0 = none) is used up, or something is wrong.
    """
    order: dict[str, int] = {
        "batch": batch,
        "expires": round(expires_s * NANOSECONDS),
        "idle_heartbeat": round(heartbeat_s * NANOSECONDS),
    }
    if max_bytes:
        order["max_bytes"] = max_bytes
    link.publish(
        f"$JS.API.CONSUMER.MSG.NEXT.{pchannel}.{name}",
        [json.dumps(order).encode()],
        reply=reply,
    )


def delivered_id(delivery: Delivery) -> MessageId:
    """The id of a message that a consumer delivered, from the subject where it would be acked.

    `$JS.ACK.STREAM.CONSUMER.DELIVERED.SEQUENCE...`; from servers with domains `$JS.ACK.DOMAIN.
    ACCOUNT.STREAM...`.
    """
    tokens = delivery.reply.split(b".")
    assert tokens[:2] == [b"$JS", b"ACK"], delivery.reply
    return int(tokens[5] if len(tokens) == 9 else tokens[7])


async def _ask(link: Link, subject: str, order: dict[str, Any], timeout_s: float) -> dict[str, Any]:
    parts = [json.dumps(order).encode()] if order else []
    return _parse(await link.request(f"$JS.API.{subject}", parts, timeout_s=timeout_s))


def _parse(delivery: Delivery) -> dict[str, Any]:
    answer = json.loads(bytes(delivery.payload))
    assert isinstance(answer, dict)
    return answer


def _state(answer: dict[str, Any]) -> StreamState:
    state = answer["state"]
    last = int(state["last_seq"])
    return StreamState(int(state["first_seq"]) if state["messages"] else last + 1, last)


def _code(answer: dict[str, Any]) -> int:
    return int(answer.get("error", {}).get("err_code", 0))


def _said(answer: dict[str, Any]) -> str:
    return str(answer.get("error", {}).get("description", ""))


def _raise_error(answer: dict[str, Any], pchannel: PChannel) -> None:
    if _code(answer) == NOT_FOUND:
        raise Unavailable(f"pchannel {pchannel} is not there")
    if "error" in answer:
        raise Unavailable(f"{pchannel}: the log says {_said(answer)} ({_code(answer)})")
