"""Watches one row on its way through running code: which values hold it, which modules they pass.

**Owns** the watched form of Headrace's modules: each function shows its arguments and its result to
the watch of its process. **Does not own** what is run meanwhile.

A *form* is a class of values (a dataclass or a struct of ours) that holds the row's bytes, directly
or in another form. Components such as a machine or a buffer are places, not forms: they show in the
modules. The modules are rewritten as they are imported, so a process has to begin with `install`.
"""

import ast
import contextlib
import dataclasses
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from google.protobuf.message import Message

ITEMS_MOST = 64  # of a list or tuple that are looked into
DEPTH_MOST = 10


class RowTrace:
    """What was seen of the row that contains `marker`: names of forms and modules, in the order
    in which they were first seen."""

    def __init__(self, marker: bytes) -> None:
        self._marker = marker
        self._on = False
        self.forms: dict[str, None] = {}
        self.modules: dict[str, None] = {}

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Inside the block everything is looked at."""
        self._on = True
        try:
            yield
        finally:
            self._on = False

    def see(self, module: str, values: tuple[Any, ...]) -> Any:
        """Arguments of a function of this module, or its result; the last of them."""
        if self._on and self._any(values, 0):
            self.modules[module] = None
        return values[-1] if values else None

    def _any(self, values: Iterable[Any], depth: int) -> bool:
        """Whether one of them carries the row; all are looked at, so that no form is missed."""
        found = [self._carries(value, depth) for value in values]
        return any(found)

    def _carries(self, value: Any, depth: int) -> bool:
        if depth > DEPTH_MOST or value is None or isinstance(value, int | float | str | type):
            return False
        if isinstance(value, bytes | bytearray | memoryview | pa.Buffer):
            return self._marker in bytes(value)
        if isinstance(value, pa.Array):
            return any(self._carries(b, depth + 1) for b in value.buffers() if b is not None)
        if isinstance(value, pa.ChunkedArray):
            return any(self._carries(chunk, depth + 1) for chunk in value.chunks)
        if isinstance(value, pa.RecordBatch | pa.Table):
            return any(self._carries(column, depth + 1) for column in value.columns)
        if isinstance(value, np.ndarray):
            return value.dtype != object and self._marker in value.tobytes()
        if isinstance(value, Message):
            return self._marker in value.SerializeToString()
        if isinstance(value, tuple | list):
            return self._any(value[:ITEMS_MOST], depth + 1)
        if isinstance(value, dict):
            return self._any(list(value.values())[:ITEMS_MOST], depth + 1)
        return self._is_form(value, depth)

    def _is_form(self, value: Any, depth: int) -> bool:
        kind = type(value)
        if not kind.__module__.startswith("headrace."):
            return False
        if dataclasses.is_dataclass(kind):
            fields = [f.name for f in dataclasses.fields(kind)]
        elif isinstance(value, msgspec.Struct):
            fields = list(kind.__struct_fields__)
        else:
            return False
        if not self._any([getattr(value, f, None) for f in fields], depth + 1):
            return False
        self.forms[f"{kind.__module__}.{kind.__qualname__}"] = None
        return True


def install(trace: RowTrace) -> None:
    """Show this trace what every function of Headrace that is imported from now on is given."""
    assert not any(name.startswith("headrace") for name in sys.modules), "imported already"
    sys.meta_path.insert(0, _Finder(trace))


class _Finder(MetaPathFinder):
    def __init__(self, trace: RowTrace) -> None:
        self._trace = trace

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See the base class: a module of Headrace is loaded as its watched form."""
        if not name.startswith("headrace.") or name.startswith("headrace.gen"):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path, self._trace)
        return spec


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, trace: RowTrace) -> None:
        super().__init__(name, path)
        self._trace = trace

    def get_code(self, fullname: str) -> CodeType:
        """From the source, whatever is cached."""
        tree = _Watched(fullname).visit(ast.parse(self.get_data(self.path), self.path))
        return compile(ast.fix_missing_locations(tree), self.path, "exec")

    def exec_module(self, module: ModuleType) -> None:
        """See the base class."""
        module.__dict__["_row_trace_see"] = self._trace.see
        super().exec_module(module)


class _Watched(ast.NodeTransformer):
    """Functions that begin by showing their arguments, and show what they return."""

    def __init__(self, module: str) -> None:
        self._module = module

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """A function."""
        return self._watched(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        """A coroutine function."""
        return self._watched(node)

    def visit_Return(self, node: ast.Return) -> ast.AST:
        """`return x` becomes `return see(module, (x,))`."""
        self.generic_visit(node)
        if node.value is not None:
            node.value = self._see([node.value])
        return node

    def _watched(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        self.generic_visit(node)
        given = node.args
        arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs]
        arguments += [a for a in (given.vararg, given.kwarg) if a is not None]
        if arguments:
            names: list[ast.expr] = [ast.Name(a.arg, ast.Load()) for a in arguments]
            node.body.insert(
                0 if ast.get_docstring(node) is None else 1, ast.Expr(self._see(names))
            )
        return node

    def _see(self, values: list[ast.expr]) -> ast.Call:
        shown = ast.Tuple(values, ast.Load())
        return ast.Call(
            ast.Name("_row_trace_see", ast.Load()), [ast.Constant(self._module), shown], []
        )
