"""One child process under its node name: started, watched, restarted with backoff, stopped.

**Owns** a child's life. **Does not own** which children there are (`app.standalone`). A child ends
with its parent, however that dies (Linux: the kernel's parent-death signal; elsewhere the child
watches its parent id).
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from headrace.runtime.retry import Pauses

PR_SET_PDEATHSIG = 1
PAUSES = Pauses(first_s=0.25, most_s=15.0)
STEADY_S = 10.0  # a child that lived so long starts with the shortest backoff again


# Runs between us and the child's program: asks the kernel for the signal, then becomes the program.
# Not done in `preexec_fn`: that forks a process with threads (gRPC's), which crashed in the child.
_LAUNCHER = """\
import ctypes, os, sys
ctypes.CDLL(None).prctl(int(sys.argv[1]), int(sys.argv[2]), 0, 0, 0)
if os.getppid() != int(sys.argv[3]):
    sys.exit("the parent has died")
os.execvp(sys.argv[4], sys.argv[4:])
"""


def dying_with_parent(command: Sequence[str], number: int) -> Sequence[str]:
    """The command that runs `command`, which gets this signal when our process dies (Linux; else
    the command as it is). It has one process id from the start."""
    if sys.platform != "linux":
        return command
    launch = (sys.executable, "-I", "-S", "-c", _LAUNCHER)
    return (*launch, str(PR_SET_PDEATHSIG), str(int(number)), str(os.getpid()), *command)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """How to start a child. Its output goes to `log_path`."""

    name: str
    command: Sequence[str]
    log_path: Path
    environment: Mapping[str, str]
    restart: bool = True
    holds: tuple[int, ...] = ()  # open files that it keeps open as long as it lives
    orphaned: int = signal.SIGTERM  # what it gets when its parent dies


class Child:
    """A child process and its restarts. `on_change(text)` is told what a person wants to know."""

    def __init__(self, spec: ChildSpec, on_change: Callable[[str], None]) -> None:
        self.spec = spec
        self.starts = 0
        self.ended: int | None = None  # the exit status of its last end
        self.final: int | None = None  # an end with this status is not followed by a start
        self._on_change = on_change
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def pid(self) -> int | None:
        """Of the running process, None when there is none."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process else None

    async def start(self) -> None:
        """Start it and watch it from now on."""
        self._stopping = False
        await self._spawn()
        self._watch = asyncio.create_task(self._keep(), name=f"child:{self.spec.name}")

    async def _spawn(self) -> None:
        self.spec.log_path.parent.mkdir(parents=True, exist_ok=True)
        self.starts += 1
        with self.spec.log_path.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *dying_with_parent(self.spec.command, self.spec.orphaned),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=self.spec.holds,
                env={**os.environ, **self.spec.environment},
                start_new_session=True,  # Ctrl-C reaches the supervisor, which stops in order
            )

    async def _keep(self) -> None:
        """Wait for its end; start it anew after a pause, unless it was stopped on purpose."""
        failures = 0
        loop = asyncio.get_running_loop()
        while True:
            assert self._process is not None
            began = loop.time()
            status = self.ended = await self._process.wait()
            if self._stopping or status == self.final:
                return
            said = f"signal {-status}" if status < 0 else f"status {status}"
            if not self.spec.restart:
                self._on_change(f"{self.spec.name} ended ({said}); it is not restarted")
                return
            if loop.time() - began > STEADY_S:
                failures = 0
            failures += 1
            pause = PAUSES.after(failures)
            self._on_change(f"{self.spec.name} ended ({said}); restarting it in {pause:.2f} s")
            await asyncio.sleep(pause)
            failures = await self._spawn_at_last(failures)

    async def _spawn_at_last(self, failures: int) -> int:
        """Start it, however often that fails (no memory, no process free); the failures by then."""
        while True:
            try:
                await self._spawn()
            except OSError as error:
                self._on_change(f"{self.spec.name} cannot be started now: {error.strerror}")
                failures += 1
                await asyncio.sleep(PAUSES.after(failures))
            else:
                return failures

    def signal(self, number: int) -> None:
        """Send a signal to the running process; nothing if there is none."""
        if self.pid is not None:
            # It may have ended since the loop last looked.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def stop(self, timeout_s: float) -> bool:
        """SIGTERM, and SIGKILL after `timeout_s`; whether it ended by itself."""
        self._stopping = True
        by_itself = True
        if self.pid is not None and self._process is not None:
            self.signal(signal.SIGTERM)
            self.signal(signal.SIGCONT)
            try:
                await asyncio.wait_for(self._process.wait(), timeout_s)
            except TimeoutError:
                by_itself = False
                self._on_change(f"{self.spec.name} did not stop in {timeout_s:.0f} s: killed")
                self.signal(signal.SIGKILL)
                await self._process.wait()
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        return by_itself
