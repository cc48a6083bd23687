"""A client's schema, checked and made ours; and ours made a client's again.

`SERVED_TYPES` says what each served type allows. Ids of fields are given in order from
`FIRST_FIELD_ID`, the dynamic field last, so the same request makes the same schema, and "create
again with the same schema" is a comparison of values.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from headrace.model.schema import (
    DYNAMIC_FIELD,
    FIRST_FIELD_ID,
    RESERVED_COLUMNS,
    DataType,
    Field,
    Scalar,
    Schema,
)
from headrace.proxy.door.served_fields import refuse_unserved
from headrace.proxy.errors import Refusal
from headrace.proxy.milvus import Message, schema_pb

NAME_LENGTH_MAX = 255
VARCHAR_BYTES_MAX = 65_535
DIM_MAX = 32_768
BITS_MAX = DIM_MAX * 8  # of a binary vector
CAPACITY_MAX = 4096
VECTORS_MAX = 10
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class TypeRule:
    """What a served type allows. `defaults` are the members of a `ValueField` that may hold one,
    the first of them the one that is answered; clients infer them from the value, not the type."""

    defaults: tuple[str, ...] = ()
    nullable: bool = True
    key: bool = False
    parameters: frozenset[str] = frozenset()
    integer_bits: int = 0


INTEGERS = ("int_data", "long_data")
FLOATS = ("float_data", "double_data")
_DENSE = TypeRule(nullable=False, parameters=frozenset({"dim"}))
FLOAT_MAX = 3.4028234663852886e38  # the largest finite 32-bit float

SERVED_TYPES: Mapping[DataType, TypeRule] = {
    DataType.BOOL: TypeRule(("bool_data",)),
    DataType.INT8: TypeRule(INTEGERS, integer_bits=8),
    DataType.INT16: TypeRule(INTEGERS, integer_bits=16),
    DataType.INT32: TypeRule(INTEGERS, integer_bits=32),
    DataType.INT64: TypeRule(INTEGERS[::-1], key=True, integer_bits=64),
    DataType.FLOAT: TypeRule(FLOATS),
    DataType.DOUBLE: TypeRule(FLOATS[::-1]),
    DataType.VARCHAR: TypeRule(("string_data",), key=True, parameters=frozenset({"max_length"})),
    DataType.JSON: TypeRule(),
    DataType.ARRAY: TypeRule(parameters=frozenset({"max_capacity"})),
    DataType.BINARY_VECTOR: _DENSE,
    DataType.FLOAT_VECTOR: _DENSE,
    DataType.FLOAT16_VECTOR: _DENSE,
    DataType.BFLOAT16_VECTOR: _DENSE,
    DataType.SPARSE_FLOAT_VECTOR: TypeRule(nullable=False),
    DataType.INT8_VECTOR: _DENSE,
}
ELEMENT_TYPES = tuple(
    t for t in SERVED_TYPES if not t.is_vector and t not in (DataType.JSON, DataType.ARRAY)
)


def check_name(what: str, name: str, *, at: str = "") -> None:
    """`Invalid` unless `name` is one that Milvus takes for collections and fields."""
    if not name:
        raise Refusal.NAME_MISSING(at=at, what=what)
    if len(name) > NAME_LENGTH_MAX or not _NAME.fullmatch(name):
        raise Refusal.NAME_BAD(at=at, what=what, name=name, most=NAME_LENGTH_MAX)


def type_name(code: int) -> str:
    """The name of a Milvus type code, in the spelling of pymilvus, for people."""
    if code in DataType.__members__.values():
        return DataType(code).name
    names = schema_pb.DataType
    return names.Name(code) if code in names.values() else f"code {code}"


def check_schema(message: Message, *, fields_max: int) -> Schema:
    """The schema of a create request; `Invalid` naming the field that is wrong or not served."""
    _refuse_later_kinds(message)
    refuse_unserved(message)
    for pair in message.properties:
        raise Refusal.PROPERTY_NOT_SERVED(at=pair.key, key=pair.key, what="schema")
    if not 1 <= len(message.fields) <= fields_max:
        raise Refusal.FIELDS_COUNT(at="fields", got=len(message.fields), most=fields_max)
    fields: list[Field] = []
    for number, item in enumerate(message.fields):
        if any(f.name == item.name for f in fields):
            raise Refusal.FIELD_TWICE.of(item.name)
        automatic = item.autoID or (message.autoID and item.is_primary_key)
        fields.append(_check_field(item, FIRST_FIELD_ID + number, automatic))
    _check_together(fields)
    if message.enable_dynamic_field:
        dynamic_id = FIRST_FIELD_ID + len(fields)
        fields.append(Field(id=dynamic_id, name=DYNAMIC_FIELD, type=DataType.JSON, dynamic=True))
    return Schema(fields=tuple(fields), description=message.description)


def _refuse_later_kinds(message: Message) -> None:
    """Name the field where a schema uses what came to Milvus later than the types served here."""
    served = ", ".join(t.name for t in SERVED_TYPES)
    for item in message.struct_array_fields:
        raise Refusal.TYPE_NOT_SERVED.of(item.name, type="ARRAY of STRUCT", served=served)
    outputs = [name for function in message.functions for name in function.output_field_names]
    outputs += [item.name for item in message.fields if item.is_function_output]
    for name in outputs:
        raise Refusal.FUNCTION_OUTPUT.of(name, served=served)


def _check_together(fields: list[Field]) -> None:
    keys = [f for f in fields if f.primary]
    if len(keys) != 1:
        raise Refusal.KEY_COUNT(at="is_primary_key", got=len(keys))
    parting = [f.name for f in fields if f.partition_key]
    if len(parting) > 1:
        names = ", ".join(parting)
        raise Refusal.PARTITION_KEY_COUNT(at=parting[1], got=len(parting), names=names)
    vectors = [f.name for f in fields if f.type.is_vector]
    if not 1 <= len(vectors) <= VECTORS_MAX:
        names = ", ".join(vectors) or "none"
        raise Refusal.VECTOR_COUNT(at="fields", got=len(vectors), names=names, most=VECTORS_MAX)


def _check_field(item: Message, field_id: int, automatic: bool) -> Field:
    name = item.name
    check_name("field name", name, at="fields")
    if name in RESERVED_COLUMNS:
        raise Refusal.FIELD_RESERVED.of(name)
    if item.fieldID not in (0, field_id):
        raise Refusal.FIELD_ID.of(name, got=item.fieldID, wanted=field_id)
    rule = SERVED_TYPES.get(item.data_type)
    if rule is None:
        served = ", ".join(t.name for t in SERVED_TYPES)
        raise Refusal.TYPE_NOT_SERVED.of(name, type=type_name(item.data_type), served=served)
    kind = DataType(item.data_type)
    element = _check_element(item, kind)
    if item.nullable and not rule.nullable:
        raise Refusal.FLAG_ON_TYPE.of(name, type=kind.name, what="nullable")
    default = _check_default(item, kind, rule)
    if item.is_primary_key:
        _check_key(item, kind, rule, default)
    elif automatic:
        raise Refusal.AUTO_ID_FIELD.of(name)
    if item.is_partition_key:
        _check_partition_key(item, kind, rule)
    parameters = _check_parameters(item, kind, parameters_of(kind, element))
    if isinstance(default, str) and len(default.encode()) > parameters["max_length"]:
        raise Refusal.DEFAULT_BAD.of(name, got=default, reason="above its max_length")
    return Field(
        id=field_id,
        name=name,
        type=kind,
        primary=item.is_primary_key,
        auto_id=automatic,
        nullable=item.nullable,
        partition_key=item.is_partition_key,
        max_length=parameters.get("max_length", 0),
        dim=parameters.get("dim", 0),
        element_type=element,
        max_capacity=parameters.get("max_capacity", 0),
        default=default,
        has_default=default is not None,
        description=item.description,
    )


def _check_key(item: Message, kind: DataType, rule: TypeRule, default: Scalar) -> None:
    if not rule.key:
        raise Refusal.KEY_TYPE.of(item.name, type=kind.name)
    if item.nullable or default is not None:
        what = "nullable" if item.nullable else "given a default"
        raise Refusal.KEY_PLAIN.of(item.name, what=what)


def _check_partition_key(item: Message, kind: DataType, rule: TypeRule) -> None:
    reason = ""
    if item.is_primary_key:
        reason = "it is the primary key"
    elif not rule.key:
        reason = f"it has type {kind.name}, not INT64 or VARCHAR"
    elif item.nullable:
        reason = "it is nullable"
    if reason:
        raise Refusal.PARTITION_KEY_BAD.of(item.name, reason=reason)


def _check_element(item: Message, kind: DataType) -> DataType:
    """The type of an array's elements, NONE of all else."""
    name, code = item.name, item.element_type
    if kind is not DataType.ARRAY:
        if code:
            what = "given an element_type"
            raise Refusal.FLAG_ON_TYPE.of(name, type=kind.name, what=what)
        return DataType.NONE
    if code not in ELEMENT_TYPES:
        served = ", ".join(t.name for t in ELEMENT_TYPES)
        raise Refusal.ELEMENT_TYPE.of(name, got=type_name(code), served=served)
    return DataType(code)


def parameters_of(kind: DataType, element: DataType) -> frozenset[str]:
    """The type parameters that a field of a type must have, an array those of its elements, too."""
    own = SERVED_TYPES[kind].parameters
    return own if element is DataType.NONE else own | SERVED_TYPES[element].parameters


def _check_parameters(item: Message, kind: DataType, wanted: frozenset[str]) -> dict[str, int]:
    name = item.name
    given: dict[str, str] = {}
    for pair in item.type_params:
        if pair.key not in wanted:
            known = any(pair.key in other.parameters for other in SERVED_TYPES.values())
            refusal = Refusal.PARAMETER_ON_TYPE if known else Refusal.PARAMETER_NOT_SERVED
            raise refusal.of(name, key=pair.key, type=kind.name)
        given[pair.key] = pair.value
    return {key: _check_number(name, key, given.get(key, ""), kind) for key in sorted(wanted)}


def _check_number(name: str, key: str, text: str, kind: DataType) -> int:
    number = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0
    if key == "max_length" and not 1 <= number <= VARCHAR_BYTES_MAX:
        raise Refusal.MAX_LENGTH_BAD.of(name, got=text, most=VARCHAR_BYTES_MAX)
    if key == "max_capacity" and not 1 <= number <= CAPACITY_MAX:
        raise Refusal.CAPACITY_BAD.of(name, got=text, most=CAPACITY_MAX)
    if key == "dim":
        binary = kind is DataType.BINARY_VECTOR
        least, most = (8, BITS_MAX) if binary else (1, DIM_MAX)
        if not least <= number <= most or (binary and number % 8):
            words = ", a multiple of 8" if binary else ""
            raise Refusal.DIM_BAD.of(name, got=text, least=least, most=most, words=words)
    return number


def _check_default(item: Message, kind: DataType, rule: TypeRule) -> Scalar:
    member = item.default_value.WhichOneof("data")
    if member is None:
        return None
    name = item.name
    if not rule.defaults:
        raise Refusal.FLAG_ON_TYPE.of(name, type=kind.name, what="given a default")
    value: Scalar = getattr(item.default_value, member)
    reason = ""
    if member not in rule.defaults:
        reason = f"not of type {kind.name}"
    elif rule.integer_bits and isinstance(value, int):
        limit = 1 << (rule.integer_bits - 1)
        if not -limit <= value < limit:
            reason = f"out of the range of {kind.name}"
    elif isinstance(value, float):
        most = FLOAT_MAX if kind is DataType.FLOAT else math.inf
        if not math.isfinite(value) or abs(value) > most:
            reason = f"no finite {kind.name}"
    if reason:
        raise Refusal.DEFAULT_BAD.of(name, got=value, reason=reason)
    return value


def schema_message(name: str, schema: Schema) -> Message:
    """The schema as a client sees it: the dynamic field is a flag there, not a field."""
    message = schema_pb.CollectionSchema(
        name=name,
        description=schema.description,
        enable_dynamic_field=schema.dynamic is not None,
        autoID=schema.key.auto_id,
    )
    for field in schema.fields:
        if field.dynamic:
            continue
        item = message.fields.add(
            fieldID=field.id,
            name=field.name,
            description=field.description,
            data_type=int(field.type),
            is_primary_key=field.primary,
            autoID=field.auto_id,
            nullable=field.nullable,
            is_partition_key=field.partition_key,
        )
        if field.element_type is not DataType.NONE:
            item.element_type = int(field.element_type)
        for key in sorted(parameters_of(field.type, field.element_type)):
            item.type_params.add(key=key, value=str(getattr(field, key)))
        if field.has_default:
            setattr(item.default_value, SERVED_TYPES[field.type].defaults[0], field.default)
    return message
