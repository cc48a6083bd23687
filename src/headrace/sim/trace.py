"""What happened in a simulation, line by line, and the digest by which two runs are compared."""

import asyncio
import hashlib
import traceback
from collections.abc import Callable
from typing import Any


class Trace:
    """Lines of one run; `echo` prints each as it comes."""

    def __init__(self, echo: Callable[[str], None] | None = None, keep: bool = False) -> None:
        self._echo = echo
        self._keep = keep
        self._digest = hashlib.blake2b(digest_size=16)
        self.lines: list[str] = []

    def note(self, who: str, what: str, **values: Any) -> None:
        """One line."""
        now = asyncio.get_running_loop().time()
        said = " ".join(f"{name}={value}" for name, value in values.items())
        line = f"{now:10.4f} {who:18} {what} {said}".rstrip()
        self._digest.update(line.encode())
        if self._keep:
            self.lines.append(line)
        if self._echo is not None:
            self._echo(line)

    def failure(self, who: str, error: BaseException) -> None:
        for line in "".join(traceback.format_exception(error)).rstrip().split("\n"):
            self.note(who, line)

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()


class SimLogger:
    """A process's `Logger`: its events become lines of the trace."""

    def __init__(self, trace: Trace, who: str, bound: dict[str, Any] | None = None) -> None:
        self._trace = trace
        self._who = who
        self._bound = bound or {}

    def debug(self, event: str, **values: Any) -> None:
        self._trace.note(self._who, event, **self._bound, **values)

    info = debug

    def warning(self, event: str, **values: Any) -> None:
        self._trace.note(self._who, f"WARNING {event}", **self._bound, **values)

    def error(self, event: str, **values: Any) -> None:
        values.pop("exc_info", None)
        self._trace.note(self._who, f"ERROR {event}", **self._bound, **values)

    def bind(self, **values: Any) -> "SimLogger":
        return SimLogger(self._trace, self._who, self._bound | values)
