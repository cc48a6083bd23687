"""Who a request is: its id, whether that is a client's key, its fingerprint, and when it was sent.

A request without a key gets an id of its own, so its repetitions by this proxy are recognised and
those by its client are not. A client's key makes the id the same through every proxy. `first_sent`
is the newest granted timestamp known here, never a clock's, or what the client says: an older one
is safe (the id may already be forgotten, which the sequencer then finds out), a newer one is not.
"""

from dataclasses import dataclass

from headrace.model.ids import fingerprint
from headrace.model.timestamp import Timestamp
from headrace.proxy.call import ClientCall
from headrace.proxy.cluster.known_time import KnownTime
from headrace.proxy.errors import Refusal
from headrace.runtime.host import Host

KEY_HEADER = "idempotency-key"
REQUEST_ID_HEADER = "client-request-id"
REQUEST_ID_PREFIX = "headrace:"
FIRST_SENT_HEADER = "headrace-first-sent"
KEY_LENGTH_MAX = 256


@dataclass(frozen=True, slots=True)
class RequestIdentity:
    """What the parts of a request carry, so that a repetition meets its first result."""

    request_id: bytes
    keyed: bool
    fingerprint: bytes
    first_sent: Timestamp


async def identify(call: ClientCall, known: KnownTime, host: Host) -> RequestIdentity:
    """The identity of a write; `Invalid` naming the header that makes no sense."""
    key = _key(call)
    stated = call.headers.get(FIRST_SENT_HEADER)
    if key is None:
        if stated is not None:
            _refuse(FIRST_SENT_HEADER, stated, "served only together with an idempotency key")
        request_id = b"r" + host.token(16)
        return RequestIdentity(request_id, False, request_id[1:], await known.now(call))
    newest = await known.now(call)
    first_sent = newest
    if stated is not None:
        if not (stated.isascii() and stated.isdigit() and len(stated) <= 19):
            _refuse(FIRST_SENT_HEADER, stated, "not a timestamp, as a write answers it")
        first_sent = int(stated)
        if first_sent > newest:
            await known.refresh()
        if first_sent > known.newest:
            _refuse(FIRST_SENT_HEADER, stated, "above every timestamp given out so far")
    request = fingerprint(call.method, call.request)
    return RequestIdentity(b"k" + key.encode(), True, request, first_sent)


def _key(call: ClientCall) -> str | None:
    key = call.headers.get(KEY_HEADER)
    request_id = call.headers.get(REQUEST_ID_HEADER, "")
    if request_id.startswith(REQUEST_ID_PREFIX):
        other = request_id.removeprefix(REQUEST_ID_PREFIX)
        if key is not None and key != other:
            _refuse(KEY_HEADER, key, f"another key than that in {REQUEST_ID_HEADER}")
        key = other
    if key is not None and not 0 < len(key) <= KEY_LENGTH_MAX:
        _refuse(KEY_HEADER, key[:KEY_LENGTH_MAX], f"not a key of 1 to {KEY_LENGTH_MAX} characters")
    return key


def _refuse(header: str, value: str, reason: str) -> None:
    raise Refusal.HEADER_BAD(at=header, header=header, value=value, reason=reason)
