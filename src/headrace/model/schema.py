"""Collections' schemas as values: fields with Milvus's data type codes.

Field ids 0 and 1 are Milvus's RowID and Timestamp; users' begin at 100.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from headrace.model.ids import FieldId

DYNAMIC_FIELD = "$meta"  # Milvus's name of the column that holds what the schema does not name
ROW_ID_COLUMN = "_row_id"
TIMESTAMP_COLUMN = "_timestamp"
RESERVED_COLUMNS = frozenset({ROW_ID_COLUMN, TIMESTAMP_COLUMN})
FIRST_FIELD_ID = 100

Scalar: TypeAlias = bool | int | float | str | None


class DataType(IntEnum):
    """Milvus's codes (schema.proto)."""

    NONE = 0
    BOOL = 1
    INT8 = 2
    INT16 = 3
    INT32 = 4
    INT64 = 5
    FLOAT = 10
    DOUBLE = 11
    STRING = 20
    VARCHAR = 21
    ARRAY = 22
    JSON = 23
    BINARY_VECTOR = 100
    FLOAT_VECTOR = 101
    FLOAT16_VECTOR = 102
    BFLOAT16_VECTOR = 103
    SPARSE_FLOAT_VECTOR = 104
    INT8_VECTOR = 105

    @property
    def is_vector(self) -> bool:
        return self >= DataType.BINARY_VECTOR


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One column. `default` is the value of rows that bring none (None = there is no default)."""

    id: FieldId
    name: str
    type: DataType
    primary: bool = False
    auto_id: bool = False
    nullable: bool = False
    dynamic: bool = False  # the $meta column
    partition_key: bool = False
    max_length: int = 0  # bytes of UTF-8; VARCHAR (and elements of ARRAY of VARCHAR)
    dim: int = 0  # vectors
    element_type: DataType = DataType.NONE  # ARRAY
    max_capacity: int = 0  # ARRAY
    default: Scalar = None
    has_default: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """The fields of a collection in their order, the dynamic one (if enabled) last."""

    fields: tuple[Field, ...]
    description: str = ""

    @property
    def key(self) -> Field:
        return next(f for f in self.fields if f.primary)

    @property
    def partition_key(self) -> Field | None:
        """The field whose values decide the partitions of rows, or None."""
        return next((f for f in self.fields if f.partition_key), None)

    @property
    def dynamic(self) -> Field | None:
        """The $meta field, or None when the collection has none."""
        return next((f for f in self.fields if f.dynamic), None)

    def field(self, name: str) -> Field | None:
        """The field of that name."""
        return next((f for f in self.fields if f.name == name), None)
