"""Child processes under their node names: started, watched, restarted with backoff, stopped.

A child ends with its parent, however that dies (Linux: the kernel's parent-death signal; elsewhere
the child watches its parent id). `ServerProcess` is what etcd, NATS and S3 servers share.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from headrace.model.errors import Invalid, Unavailable
from headrace.runtime.retry import Pauses

PR_SET_PDEATHSIG = 1
PAUSES = Pauses(first_s=0.25, most_s=15.0)
SERVER_STOP_S = 10.0
READY_POLL_S = 0.02
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


class ServerProcess:
    """A server on loopback as a child process. Its ports stay the same from start to start, so
    that clients come back. `flags` come behind those that every server of its kind gets, so they
    win. `on_change(text)` is told what the user should know."""

    name = ""
    ready_timeout_s = 60.0

    def __init__(
        self,
        data_dir: Path,
        *,
        log_path: Path | None = None,
        host: str = "127.0.0.1",
        restart: bool = False,
        flags: tuple[str, ...] = (),
        on_change: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.log_path = (log_path or data_dir / f"{self.name}.log").absolute()
        self.host = host
        self._restart = restart
        self.holds: tuple[int, ...] = ()  # open files that it keeps open as long as it lives
        self._on_change = on_change
        self.flags = flags
        self._child: Child | None = None
        self._choose_ports()

    def _choose_ports(self) -> None:
        raise NotImplementedError

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child is not None else None

    async def stop(self) -> None:
        """End it in order (SIGTERM), by force after 10 s."""
        if self._child is not None:
            await self._child.stop(SERVER_STOP_S)

    async def kill(self) -> None:
        """SIGKILL; returns when it is gone. It stays down until it is started again."""
        self.signal(signal.SIGKILL)
        await self.stop()

    def freeze(self) -> None:
        """SIGSTOP: it keeps its connections and answers nothing."""
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    def signal(self, number: int) -> None:
        if self._child is not None:
            self._child.signal(number)

    async def _start(self, command: Sequence[str], output: Path) -> None:
        for folder in (self.data_dir, self.log_path.parent):
            folder.mkdir(parents=True, exist_ok=True)
        spec = ChildSpec(
            name=self.name,
            command=command,
            log_path=output,
            environment={},
            restart=self._restart,
            holds=self.holds,
        )
        self._child = Child(spec, self._on_change)
        await self._child.start()

    async def _until(self, ready: Callable[[], Awaitable[bool]]) -> bool:
        """Wait until it is ready; False when it ended before. It is stopped, and `Unavailable` is
        raised, when neither happens in `ready_timeout_s`."""
        try:
            async with asyncio.timeout(self.ready_timeout_s):
                while not await ready():
                    if self._ended_early():
                        return False
                    await asyncio.sleep(READY_POLL_S)
        except TimeoutError as error:
            await self.stop()
            raise Unavailable(
                f"{self.name} is not ready after {self.ready_timeout_s:.0f} s: see {self.log_path}"
            ) from error
        return self.pid is not None

    def _ended_early(self) -> bool:
        """Whether it has ended since its start; one that is restarted may come back."""
        return self.pid is None and not self._restart


def find_binary(name: str, absent: str) -> str:
    """A server's program, beside this Python or an installed one; `Invalid`, `absent` without."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise Invalid(absent)
    return found


async def http_answer(host: str, port: int, request: str) -> bytes:
    """The whole answer of a server that closes the connection; "" when it can not be reached."""
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError:
        return b""
    try:
        writer.write(f"{request} HTTP/1.0\r\n\r\n".encode())
        return await reader.read()
    except OSError:
        return b""
    finally:
        writer.close()
