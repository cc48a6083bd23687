"""What most values of a column are, where a few are something else.

One broken row among the first must not decide what a collection is made like. `convert` finds the
few and names them when the file is read.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

_WHOLE_MAX = 2**63


def majority_vectors(values: Sequence[Any]) -> list[Any] | None:
    """The values, None for those that are no vector like most; None when most are none."""
    lengths = Counter(len(value) for value in values if _is_vector(value))
    if not lengths:
        return None
    dim, often = lengths.most_common(1)[0]
    if dim < 2 or 2 * often <= len(values):
        return None
    return [v if _is_vector(v) and len(v) == dim else None for v in values]


def majority_integers(values: Sequence[Any]) -> list[int | None] | None:
    """The values, None for those that are no whole number of 64 bits; None when most are none."""
    found = [v if type(v) is int and -_WHOLE_MAX <= v < _WHOLE_MAX else None for v in values]
    return found if 2 * found.count(None) < len(values) else None


def _is_vector(value: Any) -> bool:
    return isinstance(value, list) and all(type(number) in (int, float) for number in value)
