"""A figure, what was to be reached, and the table of them.

**Owns** the print-out, the exit status and the refusal of file systems in memory. **Does not own**
what is measured (the other modules of `bench`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil
from rich.console import Console
from rich.table import Table

MB = 1_000_000
IN_MEMORY = ("tmpfs", "ramfs")
Say = Callable[[str], None]  # told what goes on, for a person who waits


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured value: the median of its samples (or what `value` says)."""

    name: str
    samples: tuple[float, ...]
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    worst: bool = False  # the greatest sample counts, not the median
    note: str = ""

    @property
    def value(self) -> float:
        """What counts."""
        return max(self.samples) if self.worst else median(self.samples)

    @property
    def reached(self) -> bool:
        """Whether it is as good as was asked; a figure without a goal always is."""
        above = self.at_least is None or self.value >= self.at_least
        return above and (self.at_most is None or self.value <= self.at_most)

    @property
    def goal(self) -> str:
        """What was to be reached, in words."""
        if self.at_least is not None:
            return f"at least {self.at_least:g} {self.unit}"
        return f"at most {self.at_most:g} {self.unit}" if self.at_most is not None else "-"


def print_table(figures: Sequence[Figure], file_system: str) -> int:
    """Print all; the exit status: 1 when one was not reached."""
    table = Table(title=f"Medians; file system: {file_system}", title_justify="left")
    for column in ("figure", "value", "to reach", "samples"):
        table.add_column(column)
    for f in figures:
        colour = "green" if f.reached else "red"
        samples = " ".join(f"{s:.3g}" for s in f.samples)
        table.add_row(f.name, f"[{colour}]{f.value:.3g} {f.unit}[/]", f.goal, samples)
    console = Console(width=140, highlight=False)
    console.print(table)
    for f in figures:
        if f.note:
            console.print(f"{f.name}: {f.note}", soft_wrap=True)
    return 0 if all(f.reached for f in figures) else 1


def file_system_of(directory: Path, mounted: Mapping[str, str] | None = None) -> str:
    """Its type, e.g. ext4; SystemExit when it is in memory: nothing is synced there.

    `mounted` maps mount points to types; None: those of this system.
    """
    if mounted is None:
        mounted = {p.mountpoint: p.fstype for p in psutil.disk_partitions(all=True)}
    above = [point for point in mounted if directory.absolute().is_relative_to(point)]
    found = mounted[max(above, key=len)]
    if found in IN_MEMORY:
        raise SystemExit(f"{directory} is on {found}, in memory; run the benchmark on a disk")
    return found
