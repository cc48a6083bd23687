"""Strategies that make any value of a message class.

**Owns** how values are made from the dataclasses. **Does not own** what makes sense in them.
"""

from enum import StrEnum
from typing import Any

from hypothesis import strategies as st

from headrace.rpc.codec import Shape, shapes

_INT64 = st.integers(-(2**63), 2**63 - 1)
_SCALARS: dict[type, st.SearchStrategy[Any]] = {
    int: _INT64,
    bool: st.booleans(),
    float: st.floats(allow_nan=False),
    str: st.text(max_size=20),
    bytes: st.one_of(st.binary(max_size=20), st.binary(min_size=5000, max_size=5010)),
}


def values_of(kind: type) -> st.SearchStrategy[Any]:
    """Any value of a dataclass of `rpc.messages`."""
    return st.builds(kind, **{name: _field(shape) for name, shape in shapes(kind).items()})


def _field(shape: Shape) -> st.SearchStrategy[Any]:
    if shape.is_message:
        one = st.deferred(lambda: values_of(shape.kind))
    elif issubclass(shape.kind, StrEnum):
        one = st.sampled_from(list(shape.kind))
    else:
        one = _SCALARS[shape.kind]
    if shape.repeated:
        return st.lists(one, max_size=3).map(tuple)
    return st.none() | one if shape.optional else one
