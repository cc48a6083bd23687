"""Strategies that make any value of a message class.

**Owns** how values are made from the dataclasses. **Does not own** what makes sense in them.
"""

import types
import typing
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from hypothesis import strategies as st

from headrace.rpc.codec import ErrorDetails
from headrace.rpc.messages import RESPONSE_OF

_BYTES = st.one_of(st.binary(max_size=20), st.binary(min_size=5000, max_size=5010))
_SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(-(2**63), 2**63 - 1),
    bool: st.booleans(),
    float: st.floats(allow_nan=False),
    str: st.text(max_size=20),
    bytes: _BYTES,
    memoryview: _BYTES.map(memoryview),
    type(None): st.none(),
}


def message_types() -> list[type]:
    """Every request and response."""
    return [*dict.fromkeys([*RESPONSE_OF, *RESPONSE_OF.values(), ErrorDetails])]


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a dataclass of `rpc.messages`, or of the type of one of its fields."""
    inner = typing.get_args(kind)
    if kind in _SCALARS:
        return _SCALARS[kind]
    if is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        made = {f.name: values_of(hints[f.name]) for f in fields(kind)}
        return st.builds(kind, **made)
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return st.one_of([values_of(one) for one in inner])
    if typing.get_origin(kind) in (tuple, list):
        return st.lists(values_of(inner[0]), max_size=3).map(typing.get_origin(kind))
    if typing.get_origin(kind) is dict:
        return st.dictionaries(values_of(inner[0]), values_of(inner[1]), max_size=3)
    assert issubclass(kind, Enum), kind
    return st.sampled_from(list(kind))
