"""What is made from the code is what the code makes: `make docs`."""

import importlib.util
import sys
from types import ModuleType

from support.repo import ROOT


def generator() -> ModuleType:
    """`tools/docs.py`, which is a script."""
    spec = importlib.util.spec_from_file_location("tools_docs", ROOT / "tools" / "docs.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_generated_docs_are_current() -> None:
    stale = [
        str(path)
        for path, text in generator().pages().items()
        if not (ROOT / path).is_file() or (ROOT / path).read_text() != text
    ]
    assert not stale, "run `make docs`"
