"""How each column of an insert log is written: compression, dictionary and statistics by its type.

Numbers of vectors are random: compression, statistics and dictionaries save nothing on them, except
where there are no more than 256 different ones, for which Parquet would take 4 bytes each. This
holds for files that PyArrow writes whole; `vector_encoding` says how vectors are stored in our own
pages. The elements of an array are compressed; statistics of them would help no reader. Keys are
all different, and floats nearly so: looking each up in a dictionary would double their cost.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from headrace.model.schema import ROW_ID_COLUMN, DataType, Field, Schema

_UNLIKE = (DataType.FLOAT, DataType.DOUBLE)


@dataclass(frozen=True, slots=True)
class ColumnOptions:
    """One column chunk, by its path in Parquet's schema."""

    path: str
    compression: str = "zstd"
    dictionary: bool = True
    statistics: bool = True


def column_options(schema: Schema, names: Sequence[str]) -> list[ColumnOptions]:
    """The options of these columns, own columns included, in their order."""
    options: list[ColumnOptions] = []
    for name in names:
        field = schema.field(name)
        if field is None:
            options.append(ColumnOptions(name, dictionary=name != ROW_ID_COLUMN))
        else:
            options += _of_field(field)
    return options


def _of_field(field: Field) -> list[ColumnOptions]:
    element = f"{field.name}.list.element"
    match field.type:
        case DataType.FLOAT_VECTOR | DataType.FLOAT16_VECTOR | DataType.BFLOAT16_VECTOR:
            return [ColumnOptions(element, "none", dictionary=False, statistics=False)]
        case DataType.INT8_VECTOR | DataType.BINARY_VECTOR:
            return [ColumnOptions(element, "none", statistics=False)]
        case DataType.SPARSE_FLOAT_VECTOR:
            paths = [f"{field.name}.{member}.list.element" for member in ("indices", "values")]
            return [ColumnOptions(p, "none", dictionary=False, statistics=False) for p in paths]
        case DataType.ARRAY:
            dictionary = field.element_type not in _UNLIKE
            return [ColumnOptions(element, dictionary=dictionary, statistics=False)]
        case _:
            dictionary = not field.primary and field.type not in _UNLIKE
            return [ColumnOptions(field.name, dictionary=dictionary)]
