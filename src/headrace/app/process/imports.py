"""Keeps pandas out of a role's process.

PyArrow imports pandas, where that is installed, to see whether a value is one of its series: at the
first array, which costs 40 MB and half a second in which the process answers no call. No role has
such values. PyArrow takes a failed import as "not installed". A None in `sys.modules`, the usual
way to refuse a module, it takes for the module.
"""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

LEFT_OUT = ("pandas",)


class _Refusing:
    """The first finder asked: says that a module is not installed."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name in LEFT_OUT:
            raise ModuleNotFoundError(f"{name} is left out of this process", name=name)
        return None


def leave_out() -> None:
    """Refuse these modules from now on; those that are imported already stay."""
    if not any(isinstance(finder, _Refusing) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Refusing())
