"""The expressions of a delete that are served: one key, or a list of keys.

These are `key == value`, `key in [value, ...]`, and both with `{name}` in place of the value or the
list, whose values come beside the expression (pymilvus: `filter_params`). Anything else is answered
with these forms: a delete by any other condition would have to read rows.
"""

import re
from collections.abc import Mapping
from typing import Any, NoReturn

import pyarrow as pa

from headrace.binlog.columns import key_type
from headrace.model.schema import DataType, Schema
from headrace.proxy.errors import Refusal
from headrace.proxy.milvus import Message

_HEAD = re.compile(r"\s*(?P<name>[A-Za-z_$][A-Za-z0-9_$]*)\s*(?P<operator>==|\b[iI][nN]\b)")
_TEMPLATE = re.compile(r"\{\s*(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*\}")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_TEXT = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
_SEPARATOR = re.compile(r"\s*(,|\Z)\s*")
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL)
_ESCAPED = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    "'": "'",
    '"': '"',
}


def keys_of(expression: str, templates: Mapping[str, Message], schema: Schema) -> pa.Array:
    """The keys that the expression names, each once, in their order; `Invalid` otherwise."""
    key = schema.key
    form = _HEAD.match(expression)
    if form is None:
        _refuse(expression, schema)
    operand = expression[form.end() :].strip()
    if form["name"] != key.name:
        if schema.field(form["name"]) is None:
            raise Refusal.COLUMN_EXTRA(at="expr", name=form["name"])
        raise Refusal.EXPRESSION_KEY(at="expr", name=form["name"], key=key.name)
    many = form["operator"] != "=="
    template = _TEMPLATE.fullmatch(operand)
    for name in templates:
        if template is None or template["name"] != name:
            raise Refusal.TEMPLATE_UNUSED(at="expr_template_values", name=name)
    if template is not None:
        if template["name"] not in templates:
            raise Refusal.TEMPLATE_MISSING(at="expr_template_values", name=template["name"])
        values = _template_values(templates[template["name"]], many, expression, schema)
    elif many:
        values = _list_values(operand, expression, schema)
    else:
        values = [_value(operand, expression, schema)]
    if not values:
        raise Refusal.KEYS_NONE(at="expr")
    try:
        keys = pa.array(values, key_type(schema))
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        wrong = next(v for v in values if not -(2**63) <= v < 2**63)
        raise Refusal.EXPRESSION_VALUE(at="expr", got=wrong, wanted="an INT64") from None
    return keys.unique()


def _refuse(expression: str, schema: Schema) -> NoReturn:
    one, two = ("1", "2") if schema.key.type is DataType.INT64 else ("'a'", "'b'")
    shown = expression if len(expression) <= 200 else expression[:200] + "..."
    raise Refusal.EXPRESSION(at="expr", expression=shown, key=schema.key.name, one=one, two=two)


def _refuse_value(got: str, schema: Schema) -> NoReturn:
    kind = schema.key.type
    wanted = "an INT64" if kind is DataType.INT64 else "a VARCHAR (a text in quotes)"
    raise Refusal.EXPRESSION_VALUE(at="expr", got=got[:100], wanted=wanted)


def _value(text: str, expression: str, schema: Schema) -> int | str:
    if schema.key.type is DataType.INT64:
        if _INTEGER.fullmatch(text):
            return int(text) if len(text) <= 20 else 2**63
        if _TEXT.fullmatch(text):
            _refuse_value(text, schema)
        _refuse(expression, schema)
    if _TEXT.fullmatch(text):
        return _unescape(text[1:-1], text, schema)
    if _INTEGER.fullmatch(text):
        _refuse_value(text, schema)
    _refuse(expression, schema)


def _list_values(text: str, expression: str, schema: Schema) -> list[Any]:
    if not (text.startswith("[") and text.endswith("]")):
        _refuse(expression, schema)
    inner = text[1:-1].strip()
    if not inner:
        return []
    if schema.key.type is DataType.INT64:
        return [_value(item.strip(), expression, schema) for item in inner.split(",")]
    values: list[Any] = []
    place = 0
    while True:
        found = _TEXT.match(inner, place)
        if found is None:
            _value(inner[place : place + 100].split(",", 1)[0].strip(), expression, schema)
            _refuse(expression, schema)
        values.append(_value(found[0], expression, schema))
        after = _SEPARATOR.match(inner, found.end())
        if after is None:
            _refuse(expression, schema)
        if not after[1]:
            return values
        place = after.end()


def _unescape(text: str, shown: str, schema: Schema) -> str:
    if "\\" not in text:
        return text

    def replace(match: "re.Match[str]") -> str:
        code = match[1]
        if code in _ESCAPED:
            return _ESCAPED[code]
        if len(code) == 1:
            _refuse_value(shown, schema)
        number = int(code, 8) if code[0] in "01234567" else int(code[1:], 16)
        if number > 0x10FFFF or 0xD800 <= number < 0xE000:
            _refuse_value(shown, schema)
        return chr(number)

    return _ESCAPE.sub(replace, text)


def _template_values(value: Message, many: bool, expression: str, schema: Schema) -> list[Any]:
    integers = schema.key.type is DataType.INT64
    member = value.WhichOneof("val")
    if not many:
        if member != ("int64_val" if integers else "string_val"):
            _refuse_value(str(value).strip(), schema)
        return [getattr(value, member)]
    if member != "array_val":
        _refuse(expression, schema)
    kind = value.array_val.WhichOneof("data")
    if kind is None:
        return []
    if kind != ("long_data" if integers else "string_data"):
        _refuse_value(str(value).strip(), schema)
    return list(getattr(value.array_val, kind).data)
