"""The versions of pymilvus that tests use: the project's own, and an older one beside it.

**Owns** where their interpreters are. **Does not own** making the older one's environment: `make
test` does, from `tests/e2e/pymilvus/requirements-2.6.txt`. A missing one fails the tests that use
it.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

CLIENTS: Mapping[str, Path] = {
    "3": Path(sys.executable),
    "2.6": Path(sys.prefix) / "pymilvus-2.6" / "bin" / "python",
}
