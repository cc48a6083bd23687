"""How a client is told that something does not work: a Milvus Status, or a gRPC status.

The sentences of a Status stand in `model.refusals`, those of gRPC statuses here.

pymilvus repeats most gRPC failures by itself with identical bytes, and a Status never, except for
code 8, a rate limit. So a gRPC status is only used where that is wanted (`UNAVAILABLE`: surely
nothing of the request stands in a log) or where it surely stops (`DEADLINE_EXCEEDED`).
"""

from enum import Enum, StrEnum

from headrace.model.errors import Invalid
from headrace.model.refusals import INTERNAL_CODE, RATE_LIMIT_CODE, Refusal
from headrace.proxy.milvus import Message, common_pb

__all__ = ["INTERNAL_CODE", "Aborted", "Ending", "Refusal", "Transport", "status_of", "success"]

# Milvus's older codes, which clients before 2.3 read, by the newer ones.
_OLDER = {
    7: "DiskQuotaExhausted",
    8: "RateLimit",
    100: "CollectionNotExists",
    109: "SchemaMismatch",
    700: "IndexNotExist",
    1100: "IllegalArgument",
    1101: "IllegalArgument",
}


class Transport(StrEnum):
    """The gRPC statuses that the front door uses."""

    UNAVAILABLE = "unavailable"
    DEADLINE_EXCEEDED = "deadline-exceeded"
    UNAUTHENTICATED = "unauthenticated"
    UNIMPLEMENTED = "unimplemented"


class Aborted(Exception):
    """The call ends with a gRPC status instead of an answer."""

    def __init__(self, transport: Transport, message: str) -> None:
        super().__init__(message)
        self.transport = transport
        self.message = message


class Ending(Enum):
    """All ways in which a call ends without an answer: a gRPC status and its sentence.

    Call a member to make its `Aborted`; names in braces are filled in.
    """

    NOTHING_WRITTEN = (
        Transport.UNAVAILABLE,
        "nothing was written: {reason}; send it again, as pymilvus does",
    )
    NOT_ASKED = (
        Transport.UNAVAILABLE,
        "the {role} can not be reached: {reason}; nothing was done, so ask again",
    )
    AGAIN = (Transport.UNAVAILABLE, "nothing was done: {reason}; ask again, later")
    OUTCOME_OPEN = (
        Transport.DEADLINE_EXCEEDED,
        "the outcome is not known: {reason}; send it again under the same idempotency key, or look "
        "its rows up first",
    )
    NOT_ANSWERED = (
        Transport.DEADLINE_EXCEEDED,
        "the {role} did not answer in time: {reason}; it may have been done, so look before you "
        "ask again",
    )
    NOT_SEALED = (
        Transport.DEADLINE_EXCEEDED,
        "pchannel {pchannel} was not sealed in time: {reason}; flush again",
    )
    TOKEN_WRONG = (
        Transport.UNAUTHENTICATED,
        "the token is missing or another one: send the one that is set as proxy.token",
    )
    NO_METHOD = (Transport.UNIMPLEMENTED, "{method} is not served yet; {instead}")

    def __init__(self, transport: Transport, text: str) -> None:
        self.transport = transport
        self.text = text

    def __call__(self, **values: object) -> Aborted:
        """The end of a call."""
        return Aborted(self.transport, self.text.format(**values))


def success() -> Message:
    """The Status of what was done."""
    return common_pb.Status()


def status_of(error: Invalid) -> Message:
    """The Status of a refusal."""
    code = error.code
    older = common_pb.ErrorCode.Value(_OLDER.get(code, "UnexpectedError"))
    status = common_pb.Status(code=code, error_code=older, reason=error.message)
    status.retriable = code == RATE_LIMIT_CODE
    if 99 < code < INTERNAL_CODE:  # the others are the server's own troubles
        status.extra_info["is_input_error"] = "true"
    return status
