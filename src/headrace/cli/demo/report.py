"""The demo's result: figures, a table for people, one JSON object for programs, the exit status."""

from dataclasses import asdict, dataclass, field

from rich.console import Console
from rich.table import Table

from headrace.cli.demo.verify import Comparison


@dataclass(kw_only=True)
class Report:
    """Figures of one run. Times in seconds, bytes of files, MB = 10**6 bytes of row bodies."""

    rows: int = 0
    acknowledged: int = 0
    expected: int = 0
    stored: int = 0
    lost: int = 0
    duplicated: int = 0
    altered: int = 0
    verified: bool = False
    kills: int = 0
    failover_s: float = 0.0
    insert_mb_s: float = 0.0
    flush_s: float = 0.0
    segments: int = 0
    bytes: int = 0
    data_dir: str = ""
    store: str = ""
    reasons: list[str] = field(default_factory=list)

    def take(self, verdict: Comparison) -> None:
        """The comparison's result."""
        self.expected, self.stored = verdict.expected, verdict.stored
        self.lost, self.duplicated = verdict.lost, verdict.duplicated
        self.altered = verdict.altered
        self.verified = verdict.verified
        self.reasons += verdict.examples

    @property
    def exit_status(self) -> int:
        """0 only if every row was verified and a node was killed on the way."""
        return 0 if self.verified and self.kills >= 1 else 1

    def as_dict(self) -> dict[str, object]:
        return asdict(self)

    def table(self, console: Console) -> None:
        """For people."""
        table = Table(title="What was acknowledged and what the files hold", title_justify="left")
        table.add_column("figure")
        table.add_column("value", justify="right")
        for name, value in (
            ("rows acknowledged (insert and upsert)", f"{self.acknowledged:,}"),
            ("rows expected (less deleted and replaced)", f"{self.expected:,}"),
            ("live rows read back from the files", f"{self.stored:,}"),
            ("lost", f"{self.lost:,}"),
            ("duplicated", f"{self.duplicated:,}"),
            ("altered", f"{self.altered:,}"),
            ("data nodes killed", f"{self.kills}"),
            ("failover, kill to first group consumed", f"{self.failover_s:.2f} s"),
            ("inserted", f"{self.insert_mb_s:.0f} MB/s"),
            ("flush", f"{self.flush_s:.2f} s"),
            ("segments", f"{self.segments}"),
            ("bytes of segment files", f"{self.bytes:,}"),
        ):
            table.add_row(name, value)
        console.print(table)
        for reason in self.reasons[:10]:
            console.print(f"  [red]{reason}[/red]")
