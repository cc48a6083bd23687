"""What a client is told when something does not work: one table of codes and sentences.

**Owns** every sentence that the front door itself refuses a request with, the Milvus code of each,
and how our errors become a Milvus Status or, where a Status would not do, a gRPC status.
**Does not own** the tree of errors (`model.errors`) or who repeats what (`proxy.writes`).

pymilvus repeats most gRPC failures by itself with identical bytes, and a Status never (code 8, a
rate limit, aside). So a gRPC status is only used where that is wanted (`UNAVAILABLE`: surely
nothing of the request stands in a log) or where it surely stops (`DEADLINE_EXCEEDED`).
"""

from dataclasses import dataclass
from enum import Enum, StrEnum

from headrace.model.errors import HeadraceError, Invalid, NotFound
from headrace.proxy.milvus import Message, common_pb

INTERNAL_CODE = 65_535  # Milvus's "unexpected error"
RATE_LIMIT_CODE = 8  # the only one that pymilvus repeats by itself

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


@dataclass(frozen=True, slots=True)
class Sentence:
    """A Milvus code and what is said with it; names in braces are filled in."""

    code: int
    text: str
    absent: bool = False  # what the client names is not there


class Refusal(Enum):
    """All that the front door refuses by itself. Call a member to make its error."""

    COLLECTION_NOT_FOUND = Sentence(100, "collection {name!r} does not exist", absent=True)
    COLLECTION_ID_NOT_FOUND = Sentence(100, "there is no collection with id {id}", absent=True)
    COLLECTION_DROPPED = Sentence(
        100, "collection {name!r} was dropped while the request was under way", absent=True
    )
    COLLECTION_NOT_LOADED = Sentence(101, "collection {name!r} is not loaded: load it first")
    SCHEMA_MISMATCH = Sentence(
        109,
        "collection {name!r} has another schema than the request was made for: describe it anew",
    )
    PARTITION_NOT_FOUND = Sentence(
        200, "collection {collection!r} has no partition {name!r}", absent=True
    )
    PARTITION_KEPT = Sentence(
        1100, "partition {name!r} can not be dropped: every collection has it"
    )
    DELETE_IN_PARTITION = Sentence(
        1100,
        "a delete in partition {name!r} of several is not served yet: leave partition_name out, "
        "and the keys go from all of them",
    )
    INDEX_NOT_FOUND = Sentence(700, "collection {collection!r} has no index {name!r}", absent=True)
    INDEX_DIFFERS = Sentence(
        702, "field {name!r} of collection {collection!r} has another index: drop it first"
    )
    DATABASE_NOT_FOUND = Sentence(
        800, "database {name!r} does not exist: only 'default' is served", absent=True
    )
    TOO_LARGE = Sentence(
        1100, "the request has {size} bytes, above the limit of {limit}: send fewer rows at once"
    )
    FIELD_NOT_SERVED = Sentence(1100, "{field} is set, which is not served yet{instead}")
    FIELD_UNKNOWN = Sentence(
        1100, "{message} has a field with number {number}, which is not known here"
    )
    NAME_BAD = Sentence(
        1100,
        "{what} {name!r} is no valid name: it must begin with a letter or _, hold only letters, "
        "digits and _, and have at most {most} characters",
    )
    NAME_MISSING = Sentence(1101, "{what} is missing")
    HEADER_BAD = Sentence(1100, "the header {header} is {value!r}, which is {reason}")

    SCHEMA_NAME = Sentence(1100, "the schema is for collection {got!r}, the request for {wanted!r}")
    SHARDS_BAD = Sentence(1100, "shards_num is {got}: it must be between 1 and {most}")
    FIELDS_COUNT = Sentence(1100, "the schema has {got} fields: it must have 1 to {most}")
    FIELD_TWICE = Sentence(1100, "the schema names field {name!r} twice")
    FIELD_RESERVED = Sentence(1100, "field {name!r}: the name is reserved")
    FIELD_ID = Sentence(
        1100, "field {name!r} asks for id {got}: ids are given in order, it would get {wanted}"
    )
    TYPE_NOT_SERVED = Sentence(
        1100, "field {name!r} has type {type}, which is not served yet; served are {served}"
    )
    KEY_COUNT = Sentence(1100, "the schema has {got} primary keys: it must have exactly one")
    KEY_TYPE = Sentence(1100, "primary key {name!r} has type {type}: it must be INT64 or VARCHAR")
    KEY_PLAIN = Sentence(1100, "primary key {name!r} must not be {what}")
    AUTO_ID_FIELD = Sentence(
        1100, "field {name!r} has auto_id, which only the primary key may have"
    )
    VECTOR_COUNT = Sentence(
        1100, "the schema has {got} vector fields ({names}): it must have 1 to {most}"
    )
    DIM_BAD = Sentence(
        1100, "field {name!r}: dim is {got!r}: it must be between {least} and {most}{words}"
    )
    ELEMENT_TYPE = Sentence(
        1100, "field {name!r} is an array of {got}, which is not served; served are {served}"
    )
    CAPACITY_BAD = Sentence(
        1100, "field {name!r}: max_capacity is {got!r}: it must be between 1 and {most}"
    )
    MAX_LENGTH_BAD = Sentence(
        1100, "field {name!r}: max_length is {got!r}: it must be between 1 and {most}"
    )
    PARAMETER_NOT_SERVED = Sentence(
        1100, "field {name!r}: the type parameter {key!r} is set, which is not served yet"
    )
    PROPERTY_NOT_SERVED = Sentence(
        1100, "the property {key!r} of the {what} is set, which is not served yet"
    )
    PARAMETER_ON_TYPE = Sentence(
        1100, "field {name!r} has type {type}, which takes no type parameter {key!r}"
    )
    FLAG_ON_TYPE = Sentence(1100, "field {name!r}: a field of type {type} can not be {what}")
    DEFAULT_BAD = Sentence(1100, "field {name!r}: the default {got!r} is {reason}")

    ROWS_NONE = Sentence(1100, "the request has no rows")
    ROWS_COUNT = Sentence(1100, "field {name!r} has {got} values, but num_rows is {rows}{nulls}")
    COLUMN_MISSING = Sentence(1100, "field {name!r} is missing")
    COLUMN_EXTRA = Sentence(1100, "the collection has no field {name!r}")
    COLUMN_TWICE = Sentence(1100, "the request has field {name!r} twice")
    COLUMN_TYPE = Sentence(1100, "field {name!r} must be {wanted}, not {got}")
    KEY_GIVEN = Sentence(1100, "field {name!r} is made automatically: leave it out of an insert")
    WRONG_DIM = Sentence(1100, "field {name!r} has vectors of dim {wanted}, not {got}")
    VECTOR_LENGTH = Sentence(
        1100, "field {name!r} has {got} numbers, but {rows} vectors of dim {dim} have {wanted}"
    )
    NOT_FINITE = Sentence(1100, "field {name!r}, row {row}: NaN and infinity can not be stored")
    SPARSE_LENGTH = Sentence(
        1100, "field {name!r}, row {row}: {got} bytes are no pairs of index and value of 8 bytes"
    )
    SPARSE_INDEX = Sentence(
        1100, "field {name!r}, row {row}: the index {got} is above 4294967294, the highest"
    )
    SPARSE_ORDER = Sentence(
        1100, "field {name!r}, row {row}: the indices of a sparse vector must rise"
    )
    TOO_MANY = Sentence(
        1100, "field {name!r}, row {row}: {got} elements are above its max_capacity of {most}"
    )
    TOO_LONG = Sentence(
        1100, "field {name!r}, row {row}: {got} bytes are above its max_length of {most}"
    )
    OUT_OF_RANGE = Sentence(1100, "field {name!r}, row {row}: {got} does not fit {type}")
    NOT_NULLABLE = Sentence(1100, "field {name!r}, row {row}: null, but the field is not nullable")
    VALID_DATA_COUNT = Sentence(
        1100, "field {name!r} has {got} entries in valid_data, but num_rows is {rows}"
    )
    NOT_UTF8 = Sentence(1100, "field {name!r}, row {row}: the text is not UTF-8")
    NOT_JSON = Sentence(1100, "field {name!r}, row {row}: not JSON: {reason}")
    DYNAMIC_NOT_OBJECT = Sentence(1100, "the dynamic field, row {row}: its JSON must be an object")
    DYNAMIC_NAME = Sentence(
        1100, "the dynamic field, row {row}: the key {key!r} is a field of the schema or reserved"
    )
    ROW_TOO_LARGE = Sentence(1100, "row {row} has {got} bytes, above the limit of {most}")
    DEFAULTS_TOO_LARGE = Sentence(
        1100,
        "with the defaults filled in {got} bytes would be one entry, above {most}: "
        "send fewer rows at once",
    )

    EXPRESSION = Sentence(
        1100,
        "the expression {expression!r} is not served: delete by key, as `{key} == {one}`, "
        "`{key} in [{one}, {two}]`, or `{key} in {{keys}}` with filter_params={{'keys': [...]}}",
    )
    EXPRESSION_KEY = Sentence(
        1100, "the expression compares {name!r}: rows are deleted by the primary key {key!r} only"
    )
    EXPRESSION_VALUE = Sentence(1100, "the key {got} in the expression is not {wanted}")
    TEMPLATE_MISSING = Sentence(1100, "the expression uses {{{name}}}, which has no value")
    TEMPLATE_UNUSED = Sentence(1100, "the value {name!r} is not used in the expression")
    KEYS_NONE = Sentence(1100, "the expression names no key")

    OUTCOME_UNKNOWN = Sentence(
        INTERNAL_CODE,
        "the request was first sent too long ago to tell whether it was done: look its rows up "
        "before you send them under another key",
    )
    KEY_REUSED = Sentence(1100, "the idempotency key was used for another request: {reason}")
    LOG_FULL = Sentence(7, "nothing was written: {reason}")
    BUSY = Sentence(
        8, "the proxy has {under_way} bytes of requests under way, {most} at most: again, later"
    )
    BROKEN = Sentence(INTERNAL_CODE, "the proxy broke on this call: its log says where")
    NOT_SERVED = Sentence(10, "{method} is not served yet; {instead}")
    FLUSH_TIME_MISSING = Sentence(1101, "flush_ts is missing: bring back what Flush answered")

    def __call__(self, *, at: str = "", **values: object) -> Invalid:
        """The error; `at` names the field of the request if it is about one."""
        kind = NotFound if self.value.absent else Invalid
        return kind(self.value.text.format(**values), field=at, code=self.value.code)


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


def success() -> Message:
    """The Status of what was done."""
    return common_pb.Status()


def status_of(error: HeadraceError) -> Message:
    """The Status of an error: its own code where the caller is wrong, else "unexpected"."""
    code = error.code if isinstance(error, Invalid) else INTERNAL_CODE
    older = common_pb.ErrorCode.Value(_OLDER.get(code, "UnexpectedError"))
    status = common_pb.Status(code=code, error_code=older, reason=error.message)
    if isinstance(error, Invalid):
        status.retriable = code == RATE_LIMIT_CODE
        if code > 99:  # below are the server's own troubles
            status.extra_info["is_input_error"] = "true"
    return status
