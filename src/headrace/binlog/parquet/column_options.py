"""How each column of an insert log is written: its leaves in Parquet, with what is spent on them.

**Owns** compression, dictionaries and statistics by type. **Does not own** the columns' types
(`binlog.columns`) or the writer (`binlog.insert_log`).

Numbers of vectors are random: compression, statistics and dictionaries save nothing on them, but
where there are no more than 256 of them, for which Parquet else takes 4 bytes each. This holds for
files that PyArrow writes whole; where vectors are made into pages, `binlog.layouts` says how. The
elements of an array are compressed; statistics of them would help nobody. Keys are all different,
and floats nearly so: to look each up in a dictionary would double their cost for nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from headrace.model.schema import ROW_ID_COLUMN, DataType, Field, Schema

_UNLIKE = (DataType.FLOAT, DataType.DOUBLE)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One column chunk, by its path in Parquet's schema."""

    path: str
    compression: str = "zstd"
    dictionary: bool = True
    statistics: bool = True


def leaves_of(schema: Schema, names: Sequence[str]) -> list[Leaf]:
    """The leaves of these columns, own columns included, in their order."""
    leaves: list[Leaf] = []
    for name in names:
        field = schema.field(name)
        if field is None:
            leaves.append(Leaf(name, dictionary=name != ROW_ID_COLUMN))
        else:
            leaves += _of_field(field)
    return leaves


def _of_field(field: Field) -> list[Leaf]:
    element = f"{field.name}.list.element"
    match field.type:
        case DataType.FLOAT_VECTOR | DataType.FLOAT16_VECTOR | DataType.BFLOAT16_VECTOR:
            return [Leaf(element, "none", dictionary=False, statistics=False)]
        case DataType.INT8_VECTOR | DataType.BINARY_VECTOR:
            return [Leaf(element, "none", statistics=False)]
        case DataType.SPARSE_FLOAT_VECTOR:
            paths = [f"{field.name}.{member}.list.element" for member in ("indices", "values")]
            return [Leaf(p, "none", dictionary=False, statistics=False) for p in paths]
        case DataType.ARRAY:
            dictionary = field.element_type not in _UNLIKE
            return [Leaf(element, dictionary=dictionary, statistics=False)]
        case _:
            dictionary = not field.primary and field.type not in _UNLIKE
            return [Leaf(field.name, dictionary=dictionary)]
