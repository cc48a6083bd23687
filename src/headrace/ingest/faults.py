"""What does not fit: a row of a file, by its column, and why."""

from dataclasses import dataclass
from typing import TypeAlias

from headrace.model.errors import HeadraceError


class Unfit(Exception):
    """Some value of a column does not fit its field; `str()` says why."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a row does not fit. `column` is "" when the row as a whole can not be read."""

    column: str
    reason: str


Faults: TypeAlias = dict[int, Fault]  # by place among the rows at hand


class BadRow(HeadraceError):
    """A row of a source that does not fit, and was not to be skipped. Rows count from 1."""

    def __init__(self, source: str, row: int, fault: Fault) -> None:
        where = f"{source}, row {row + 1:,}"
        if fault.column:
            where += f", column {fault.column!r}"
        super().__init__(
            f"{where}: {fault.reason}; nothing after it was sent (--skip-bad FILE writes such rows "
            "aside and goes on)"
        )
