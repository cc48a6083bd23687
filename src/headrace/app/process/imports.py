"""What the process of a role does not import.

**Owns** the refusal. **Does not own** which modules our own code names: none names these.

PyArrow imports pandas, where that is installed, to see whether a value is one of its series: at the
first array, 40 MB and half a second in which the process answers nobody. No role has such values.
PyArrow takes a failed import as "not installed". A None in `sys.modules`, the usual way to refuse a
module, it takes for the module.
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
        """See `importlib.abc.MetaPathFinder`."""
        if name in LEFT_OUT:
            raise ModuleNotFoundError(f"{name} is left out of this process", name=name)
        return None


def leave_out() -> None:
    """Refuse these modules from now on; those that are imported already stay."""
    if not any(isinstance(finder, _Refusing) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Refusing())
