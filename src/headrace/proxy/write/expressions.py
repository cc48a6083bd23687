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
_ESCAPED = dict(zip("abfnrtv\\'\"", "\a\b\f\n\r\t\v\\'\"", strict=True))


def keys_of(expression: str, templates: Mapping[str, Message], schema: Schema) -> pa.Array:
    """The keys that the expression names, each once, in their order; `Invalid` otherwise."""
    values = _Expression(expression, schema).values(templates)
    if not values:
        raise Refusal.KEYS_NONE(at="expr")
    try:
        keys = pa.array(values, key_type(schema))
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        wrong = next(v for v in values if not -(2**63) <= v < 2**63)
        raise Refusal.EXPRESSION_VALUE(at="expr", got=wrong, wanted="an INT64") from None
    return keys.unique()


class _Expression:
    """One expression, read for the key of a schema."""

    def __init__(self, text: str, schema: Schema) -> None:
        self._text = text
        self._schema = schema
        self._integers = schema.key.type is DataType.INT64

    def values(self, templates: Mapping[str, Message]) -> list[Any]:
        key = self._schema.key
        form = _HEAD.match(self._text)
        if form is None:
            self._refuse()
        operand = self._text[form.end() :].strip()
        if form["name"] != key.name:
            if self._schema.field(form["name"]) is None:
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
            return self._template_values(templates[template["name"]], many)
        return self._list_values(operand) if many else [self._value(operand)]

    def _refuse(self) -> NoReturn:
        one, two = ("1", "2") if self._integers else ("'a'", "'b'")
        shown = self._text if len(self._text) <= 200 else self._text[:200] + "..."
        key = self._schema.key.name
        raise Refusal.EXPRESSION(at="expr", expression=shown, key=key, one=one, two=two)

    def _refuse_value(self, got: str) -> NoReturn:
        wanted = "an INT64" if self._integers else "a VARCHAR (a text in quotes)"
        raise Refusal.EXPRESSION_VALUE(at="expr", got=got[:100], wanted=wanted)

    def _value(self, text: str) -> int | str:
        right, wrong = (_INTEGER, _TEXT) if self._integers else (_TEXT, _INTEGER)
        if wrong.fullmatch(text):
            self._refuse_value(text)
        if not right.fullmatch(text):
            self._refuse()
        if not self._integers:
            return self._unescape(text)
        return int(text) if len(text) <= 20 else 2**63

    def _list_values(self, text: str) -> list[Any]:
        if not (text.startswith("[") and text.endswith("]")):
            self._refuse()
        inner = text[1:-1].strip()
        if not inner:
            return []
        if self._integers:
            return [self._value(item.strip()) for item in inner.split(",")]
        values: list[Any] = []
        place = 0
        while True:
            found = _TEXT.match(inner, place)
            if found is None:
                self._value(inner[place : place + 100].split(",", 1)[0].strip())
                self._refuse()
            values.append(self._value(found[0]))
            after = _SEPARATOR.match(inner, found.end())
            if after is None:
                self._refuse()
            if not after[1]:
                return values
            place = after.end()

    def _unescape(self, quoted: str) -> str:
        text = quoted[1:-1]
        if "\\" not in text:
            return text

        def replace(match: "re.Match[str]") -> str:
            code = match[1]
            if code in _ESCAPED:
                return _ESCAPED[code]
            if len(code) == 1:
                self._refuse_value(quoted)
            number = int(code, 8) if code[0] in "01234567" else int(code[1:], 16)
            if number > 0x10FFFF or 0xD800 <= number < 0xE000:
                self._refuse_value(quoted)
            return chr(number)

        return _ESCAPE.sub(replace, text)

    def _template_values(self, value: Message, many: bool) -> list[Any]:
        member = value.WhichOneof("val")
        if not many:
            if member != ("int64_val" if self._integers else "string_val"):
                self._refuse_value(str(value).strip())
            return [getattr(value, member)]
        if member != "array_val":
            self._refuse()
        kind = value.array_val.WhichOneof("data")
        if kind is None:
            return []
        if kind != ("long_data" if self._integers else "string_data"):
            self._refuse_value(str(value).strip())
        return list(getattr(value.array_val, kind).data)
