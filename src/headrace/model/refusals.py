"""What a client is refused with: the one table of Milvus codes and sentences, whichever role
refuses.

Most are said by the proxy, some by the master service or a sequencer, whose errors travel to the
client as they are: so the table stands where all of them can reach it. `docs/guide/errors.md` is
made from it, and every line of it is raised by a test through a real client.

A sentence says what is wrong, where, and what to do. Names in braces are filled in.
"""

from dataclasses import dataclass
from enum import Enum

from headrace.model.errors import Invalid, NotFound

INTERNAL_CODE = 65_535  # Milvus's "unexpected error"
RATE_LIMIT_CODE = 8  # the only one that pymilvus repeats by itself


@dataclass(frozen=True, slots=True)
class Sentence:
    """A Milvus code and what is said with it; names in braces are filled in."""

    code: int
    text: str
    absent: bool = False  # what the client names is not there


class Refusal(Enum):
    """All that a client is refused with. Call a member to make its error."""

    # ---- calls
    NOT_SERVED = Sentence(10, "{method} is not served yet; {instead}")
    NOT_A_MESSAGE = Sentence(
        1100,
        "the request is not a {message} message: {reason}; send what the client's library encodes",
    )
    TOO_LARGE = Sentence(
        1100, "the request has {size} bytes, above the limit of {limit}: send fewer rows at once"
    )
    FIELD_NOT_SERVED = Sentence(1100, "{field} is set, which is not served yet: {instead}")
    FIELD_UNKNOWN = Sentence(
        1100,
        "{message} has a field with number {number}, which is not known here: leave out what only "
        "newer servers serve",
    )
    HEADER_BAD = Sentence(
        1100, "the header {header} is {value!r}, which is {reason}: send another or none"
    )
    BUSY = Sentence(
        8, "the proxy has {under_way} bytes of requests under way, {most} at most: again, later"
    )
    FAILED = Sentence(
        INTERNAL_CODE,
        "a part of the cluster does not work: {reason}; its operator has to look, and what was "
        "written is not known until then",
    )
    BROKEN = Sentence(
        INTERNAL_CODE, "the proxy broke on this call, which is our mistake: its log says where"
    )

    # ---- names
    NAME_MISSING = Sentence(1101, "the {what} is missing: give one")
    NAME_BAD = Sentence(
        1100,
        "the {what} {name!r} is no valid name: it must begin with a letter or _, hold only "
        "letters, digits and _, and have at most {most} characters",
    )
    NAME_TAKEN = Sentence(
        1100, "the name {name!r} is taken by another collection: choose another, or drop that one"
    )
    COLLECTION_NOT_FOUND = Sentence(
        100, "collection {name!r} does not exist: create it, or list what there is", absent=True
    )
    COLLECTION_ID_NOT_FOUND = Sentence(
        100, "there is no collection with id {id}: describe it by its name", absent=True
    )
    COLLECTION_DROPPED = Sentence(
        100,
        "collection {name!r} was dropped while the request was under way: create it anew and send "
        "the request again",
        absent=True,
    )
    DATABASE_NOT_FOUND = Sentence(
        800, "database {name!r} does not exist: only 'default' is served", absent=True
    )
    PARTITION_NOT_FOUND = Sentence(
        200, "collection {collection!r} has no partition {name!r}: create it first", absent=True
    )
    INDEX_NOT_FOUND = Sentence(
        700, "collection {collection!r} has no index {name!r}: list its indexes", absent=True
    )

    # ---- collections
    COLLECTION_DIFFERS = Sentence(
        1100,
        "collection {name!r} exists and is another: {difference}; take another name, or drop it "
        "first",
    )
    COLLECTION_NOT_LOADED = Sentence(101, "collection {name!r} is not loaded: load it first")
    SCHEMA_MISMATCH = Sentence(
        109,
        "collection {name!r} has another schema than the request was made for: describe it anew",
    )
    SCHEMA_NAME = Sentence(
        1100,
        "the schema is for collection {got!r}, the request for {wanted!r}: leave the schema's "
        "name out",
    )
    SCHEMA_LARGE = Sentence(
        1100,
        "the schema has {got} bytes with its descriptions and defaults, above {most}: make those "
        "shorter",
    )
    SHARDS_BAD = Sentence(
        1100, "shards_num is {got}: it must be between 1 and {most} in this cluster"
    )
    PROPERTY_REFUSED = Sentence(
        1100,
        "the property {key!r} of the collection is set, which is not served yet; served are "
        "{served}",
    )
    PROPERTY_BAD = Sentence(1100, "the property {key!r} is {got!r}: it must be {wanted}")
    PROPERTY_NOT_SERVED = Sentence(
        1100, "the property {key!r} of the {what} is set, which is not served yet: leave it out"
    )

    # ---- partitions
    PARTITION_KEPT = Sentence(
        1100,
        "partition {name!r} can not be dropped, since every collection has it: delete its rows, "
        "or drop the collection",
    )
    PARTITIONS_MOST = Sentence(
        1100,
        "collection {name!r} has {most} partitions, dropped ones included, which is the most: "
        "use another collection",
    )
    PARTITION_KEY_OWNS = Sentence(
        1100,
        "collection {name!r} has a partition key, which owns its partitions: leave partitions to "
        "it",
    )
    PARTITIONS_BAD = Sentence(
        1100, "num_partitions is {got}: with a partition key it must be between 1 and {most}"
    )
    PARTITIONS_WITHOUT_KEY = Sentence(
        1100,
        "num_partitions is {got}, but no field is the partition key: set is_partition_key of one, "
        "or create partitions by their names",
    )

    # ---- fields of a schema
    FIELDS_COUNT = Sentence(1100, "the schema has {got} fields: it must have 1 to {most}")
    FIELD_TWICE = Sentence(
        1100, "the schema names field {name!r} twice: give every field a name of its own"
    )
    FIELD_RESERVED = Sentence(1100, "field {name!r}: the name is reserved, so take another")
    FIELD_ID = Sentence(
        1100,
        "field {name!r} asks for id {got}, but ids are given in order and it would get {wanted}: "
        "leave it out",
    )
    TYPE_NOT_SERVED = Sentence(
        1100, "field {name!r} has type {type}, which is not served yet; served are {served}"
    )
    ELEMENT_TYPE = Sentence(
        1100, "field {name!r} is an array of {got}, which is not served; served are {served}"
    )
    KEY_COUNT = Sentence(1100, "the schema has {got} primary keys: it must have exactly one")
    KEY_TYPE = Sentence(1100, "primary key {name!r} has type {type}: it must be INT64 or VARCHAR")
    KEY_PLAIN = Sentence(1100, "primary key {name!r} must not be {what}: leave that out")
    AUTO_ID_FIELD = Sentence(
        1100, "field {name!r} has auto_id, which only the primary key may have: leave it out"
    )
    PARTITION_KEY_COUNT = Sentence(
        1100, "the schema has {got} partition keys ({names}): it must have at most one"
    )
    PARTITION_KEY_BAD = Sentence(
        1100,
        "field {name!r} can not be the partition key, since {reason}: it must be a plain field of "
        "type INT64 or VARCHAR",
    )
    FUNCTION_OUTPUT = Sentence(
        1100,
        "field {name!r} is the output of a function, which is not served yet: compute its values "
        "before you insert them; served are {served}",
    )
    VECTOR_COUNT = Sentence(
        1100, "the schema has {got} vector fields ({names}): it must have 1 to {most}"
    )
    DIM_BAD = Sentence(
        1100, "field {name!r}: dim is {got!r}: it must be between {least} and {most}{words}"
    )
    MAX_LENGTH_BAD = Sentence(
        1100, "field {name!r}: max_length is {got!r}: it must be between 1 and {most}"
    )
    CAPACITY_BAD = Sentence(
        1100, "field {name!r}: max_capacity is {got!r}: it must be between 1 and {most}"
    )
    PARAMETER_NOT_SERVED = Sentence(
        1100,
        "field {name!r}: the type parameter {key!r} is set, which is not served yet: leave it out",
    )
    PARAMETER_ON_TYPE = Sentence(
        1100, "field {name!r} has type {type}, which takes no type parameter {key!r}: leave it out"
    )
    FLAG_ON_TYPE = Sentence(
        1100, "field {name!r}: a field of type {type} can not be {what}: leave that out"
    )
    DEFAULT_BAD = Sentence(
        1100, "field {name!r}: the default {got!r} is {reason}: give one that fits, or none"
    )

    # ---- indexes
    INDEX_DIFFERS = Sentence(
        702, "field {name!r} of collection {collection!r} has another index: drop it first"
    )
    INDEX_TYPE = Sentence(
        1100,
        "field {name!r} of type {type}: the index type {got!r} is not known for it; known are "
        "{known}",
    )
    METRIC_TYPE = Sentence(
        1100,
        "field {name!r} of type {type}: the metric type {got!r} is not known for it; known are "
        "{known}",
    )
    SAID_TOO_LARGE = Sentence(
        1100, "{got} bytes of parameters are to be remembered, {most} at most: leave some out"
    )

    # ---- columns of rows
    ROWS_NONE = Sentence(1100, "the request has no rows: send at least one")
    ROWS_COUNT = Sentence(
        1100,
        "field {name!r} has {got} values, but num_rows is {rows}{nulls}: send one value a row",
    )
    COLUMN_MISSING = Sentence(
        1100,
        "field {name!r} is missing: every row must have it, since it is neither nullable nor has "
        "a default",
    )
    COLUMN_EXTRA = Sentence(
        1100, "the collection has no field {name!r}: leave it out, or describe the collection anew"
    )
    COLUMN_TWICE = Sentence(1100, "the request has field {name!r} twice: send it once")
    COLUMN_TYPE = Sentence(
        1100, "field {name!r} must be {wanted}, not {got}: send what the collection's schema says"
    )
    KEY_GIVEN = Sentence(1100, "field {name!r} is made automatically: leave it out of an insert")
    NOT_NULLABLE = Sentence(
        1100, "field {name!r}, row {row}: null, but the field is not nullable: give a value"
    )
    VALID_DATA_COUNT = Sentence(
        1100,
        "field {name!r} has {got} entries in valid_data, but num_rows is {rows}: send one for "
        "every row, or none",
    )
    COLUMN_SHORT = Sentence(
        1100,
        "field {name!r} has a value in {got} of {rows} rows only: every row must have one, since "
        "it is not nullable (clients leave a None out)",
    )
    WRONG_DIM = Sentence(
        1100,
        "field {name!r} has vectors of dim {wanted}, not {got}: send {wanted} numbers a row",
    )
    VECTOR_LENGTH = Sentence(
        1100,
        "field {name!r} has {got} numbers, but {rows} vectors of dim {dim} have {wanted}: send one "
        "whole vector a row",
    )

    # ---- values of rows
    NOT_FINITE = Sentence(
        1100, "field {name!r}, row {row}: NaN and infinity can not be stored: send finite numbers"
    )
    FLOAT_LARGE = Sentence(
        1100,
        "field {name!r}, row {row}: a value that is not finite, or too large for FLOAT: send "
        "numbers up to 3.4e38",
    )
    OUT_OF_RANGE = Sentence(
        1100, "field {name!r}, row {row}: {got} does not fit {type}: send a smaller number"
    )
    TOO_LONG = Sentence(
        1100,
        "field {name!r}, row {row}: {got} bytes are above its max_length of {most}: send a shorter "
        "text",
    )
    TOO_MANY = Sentence(
        1100,
        "field {name!r}, row {row}: {got} elements are above its max_capacity of {most}: send less",
    )
    SPARSE_LENGTH = Sentence(
        1100,
        "field {name!r}, row {row}: {got} bytes are no pairs of index and value: send 8 bytes a "
        "pair",
    )
    SPARSE_INDEX = Sentence(
        1100,
        "field {name!r}, row {row}: the index {got} is above 4294967294, the highest: use a lower "
        "one",
    )
    SPARSE_ORDER = Sentence(
        1100,
        "field {name!r}, row {row}: the indices of a sparse vector must rise: sort them, each once",
    )
    NOT_UTF8 = Sentence(1100, "field {name!r}, row {row}: the text is not UTF-8: encode it so")
    NOT_JSON = Sentence(
        1100, "field {name!r}, row {row}: not JSON: {reason}; send one JSON value a row"
    )
    JSON_DEEP = Sentence(
        1100,
        "field {name!r}, row {row}: its JSON is nested {got} deep, {most} at most: make it flatter",
    )
    DYNAMIC_NOT_OBJECT = Sentence(
        1100, "the dynamic field, row {row}: its JSON must be an object: send {{...}}"
    )
    DYNAMIC_NAME = Sentence(
        1100,
        "the dynamic field, row {row}: the key {key!r} is a field of the schema or reserved: "
        "send it as a field, or call it otherwise",
    )
    ROW_TOO_LARGE = Sentence(
        1100, "row {row} has {got} bytes, above the limit of {most}: a row must fit one entry"
    )
    DEFAULTS_TOO_LARGE = Sentence(
        1100,
        "with the defaults filled in {got} bytes would be one entry, above {most}: "
        "send fewer rows at once",
    )

    # ---- deletes
    EXPRESSION = Sentence(
        1100,
        "the expression {expression!r} is not served: delete by key, as `{key} == {one}`, "
        "`{key} in [{one}, {two}]`, or `{key} in {{keys}}` with filter_params={{'keys': [...]}}",
    )
    EXPRESSION_KEY = Sentence(
        1100,
        "the expression compares {name!r}: rows are deleted by the primary key {key!r} only, so "
        "compare that",
    )
    EXPRESSION_VALUE = Sentence(
        1100,
        "the key {got} in the expression is not {wanted}: name keys as the collection has them",
    )
    TEMPLATE_MISSING = Sentence(
        1100, "the expression uses {{{name}}}, which has no value: give it in filter_params"
    )
    TEMPLATE_UNUSED = Sentence(
        1100, "the value {name!r} is not used in the expression: leave it out of filter_params"
    )
    KEYS_NONE = Sentence(1100, "the expression names no key: name at least one")

    # ---- writing
    KEY_REUSED = Sentence(
        1100,
        "the idempotency key was used for another request: take a new one for every request; some "
        "rows of this one may have been written, so look them up before you send it again",
    )
    OUTCOME_UNKNOWN = Sentence(
        INTERNAL_CODE,
        "the request was first sent too long ago to tell whether it was done: look its rows up "
        "before you send them under another key",
    )
    LOG_FULL = Sentence(
        7, "nothing was written: {reason}; make room on the log's disk, then send it again"
    )
    FLUSH_TIME_MISSING = Sentence(
        1101, "{field} is missing: bring back the timestamp that {method} answered"
    )

    def __call__(self, *, at: str = "", **values: object) -> Invalid:
        """The error; `at` names the field of the request if it is about one."""
        kind = NotFound if self.value.absent else Invalid
        return kind(self.value.text.format(**values), field=at, code=self.value.code)

    def of(self, name: str, **values: object) -> Invalid:
        """The error about the field `name` of the request, which the sentence names."""
        return self(at=name, name=name, **values)
