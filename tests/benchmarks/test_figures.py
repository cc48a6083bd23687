"""Figures of the benchmark: what counts, what is reached, where it may run."""

from pathlib import Path

import pytest

from bench.figures import Figure, file_system_of, print_table

MOUNTED = {"/": "ext4", "/a": "tmpfs", "/a/disk": "xfs", "/b": "ramfs"}


def speed(*samples: float) -> Figure:
    return Figure(name="speed", samples=samples, unit="MB/s", at_least=100)


def seconds(*samples: float) -> Figure:
    return Figure(name="time", samples=samples, unit="s", at_most=5, worst=True)


def test_the_median_counts_or_the_worst() -> None:
    assert speed(99, 101, 500).value == 101
    assert seconds(1, 6, 2).value == 6


@pytest.mark.parametrize(
    ("figure", "reached"),
    [
        (speed(100), True),
        (speed(99.9), False),
        (seconds(5, 1), True),
        (seconds(5.1, 1), False),
        (Figure(name="told", samples=(1,), unit="MB/s"), True),
    ],
)
def test_the_exit_status_is_1_below_what_was_to_be_reached(
    figure: Figure, reached: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert figure.reached is reached
    assert print_table([speed(200), figure], "ext4") == (0 if reached else 1)
    told = capsys.readouterr().out
    assert "ext4" in told
    assert "at least 100 MB/s" in told
    assert figure.name in told


@pytest.mark.parametrize(
    ("directory", "kind"), [("/c/d", "ext4"), ("/a/disk/x", "xfs"), ("/aa", "ext4")]
)
def test_the_file_system_is_that_of_the_nearest_mount_point(directory: str, kind: str) -> None:
    assert file_system_of(Path(directory), MOUNTED) == kind


@pytest.mark.parametrize("directory", ["/a/x", "/b"])
def test_a_file_system_in_memory_is_refused(directory: str) -> None:
    with pytest.raises(SystemExit, match="in memory"):
        file_system_of(Path(directory), MOUNTED)
