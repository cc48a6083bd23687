"""A child process: restarted with growing pauses, ended in order or by force."""

import asyncio
import signal
import sys
from pathlib import Path

import psutil
import pytest
from support.processes.waiting import wait_until

from headrace.app.servers import child as children
from headrace.app.servers.child import Child, ChildSpec

FOREVER = "import sys; print('up', flush=True); sys.stdin.read() or __import__('signal').pause()"
STUBBORN = "import signal; signal.signal(15, lambda *_: None); print('up', flush=True)\n" + (
    "while True: signal.pause()"
)


def make(directory: Path, program: str, said: list[str], **more: object) -> Child:
    """A child that runs this Python program."""
    spec = ChildSpec(
        name="child",
        command=(sys.executable, "-c", program),
        log_path=directory / "child.out",
        environment={"GIVEN": "yes"},
        **more,  # type: ignore[arg-type]
    )
    return Child(spec, said.append)


async def until(condition: object, what: str) -> None:
    """Wait beside the loop, which watches the child."""
    await asyncio.to_thread(wait_until, condition, what)  # type: ignore[arg-type]


async def up(child: Child) -> None:
    """Wait until it has said so in its output, as often as it was started."""
    path = child.spec.log_path
    await until(lambda: path.read_text().count("up") >= child.starts, "it is up")


async def test_it_gets_its_environment_and_its_output_is_kept(tmp_path: Path) -> None:
    said: list[str] = []
    child = make(tmp_path, "import os; print(os.environ['GIVEN'])", said, restart=False)
    await child.start()
    await until(lambda: said, "it has ended")
    assert said == ["child ended (status 0); it is not restarted"]
    assert child.spec.log_path.read_text() == "yes\n"
    assert child.pid is None
    await child.stop(1)


async def test_one_that_dies_is_started_again_after_growing_pauses(tmp_path: Path) -> None:
    said: list[str] = []
    child = make(tmp_path, "raise SystemExit(3)", said)
    await child.start()
    await until(lambda: len(said) >= 3, "it has ended three times")
    await child.stop(1)
    assert said[:3] == [
        "child ended (status 3); restarting it in 0.25 s",
        "child ended (status 3); restarting it in 0.50 s",
        "child ended (status 3); restarting it in 1.00 s",
    ]


async def test_one_that_lived_long_enough_is_started_again_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "STEADY_S", 0.0)
    said: list[str] = []
    child = make(tmp_path, FOREVER, said)
    await child.start()
    for count in (1, 2, 3):
        await up(child)
        child.signal(signal.SIGKILL)
        await until(lambda count=count: child.starts > count, "it runs again")
    assert said == ["child ended (signal 9); restarting it in 0.25 s"] * 3
    await child.stop(1)


async def test_one_that_ends_when_asked_is_not_killed(tmp_path: Path) -> None:
    said: list[str] = []
    child = make(tmp_path, FOREVER, said)
    await child.start()
    await up(child)
    pid = child.pid
    assert pid is not None
    assert await child.stop(10)
    assert said == []
    assert not psutil.pid_exists(pid)


async def test_one_that_is_frozen_ends_when_asked_too(tmp_path: Path) -> None:
    child = make(tmp_path, FOREVER, [])
    await child.start()
    await up(child)
    child.signal(signal.SIGSTOP)
    assert await child.stop(10)


async def test_one_that_does_not_end_when_asked_is_killed(tmp_path: Path) -> None:
    said: list[str] = []
    child = make(tmp_path, STUBBORN, said)
    await child.start()
    await up(child)
    assert not await child.stop(0.1)
    assert said == ["child did not stop in 0 s: killed"]
    assert child.pid is None


async def test_a_stop_in_the_pause_before_a_restart_leaves_nothing(tmp_path: Path) -> None:
    said: list[str] = []
    child = make(tmp_path, "raise SystemExit(3)", said)
    await child.start()
    await until(lambda: said, "it has ended")
    await child.stop(1)
    starts = child.starts
    await child.stop(1)
    assert (child.pid, child.starts) == (None, starts)


async def test_one_that_cannot_be_started_now_is_tried_again(tmp_path: Path) -> None:
    said: list[str] = []
    child = make(tmp_path / "logs", FOREVER, said)
    await child.start()
    await up(child)
    (tmp_path / "logs").rename(tmp_path / "moved")
    (tmp_path / "logs").write_text("a file is in the way of its output")
    child.signal(signal.SIGKILL)
    await until(lambda: len(said) > 1, "it was tried")
    assert said[1].startswith("child cannot be started now: ")
    (tmp_path / "logs").unlink()
    await until(lambda: child.pid is not None, "it runs again")
    await child.stop(1)


def open_files(pid: int) -> list[str]:
    """What a process has open."""
    return [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]


async def test_it_holds_files_open_as_long_as_it_lives(tmp_path: Path) -> None:
    held = (tmp_path / "held").open("w")
    child = make(tmp_path, FOREVER, [], holds=(held.fileno(),))
    await child.start()
    await up(child)
    assert child.pid is not None
    assert str(tmp_path / "held") in open_files(child.pid)
    held.close()
    await child.stop(1)
