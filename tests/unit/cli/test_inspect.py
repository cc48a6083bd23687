"""The tables of `headrace status` and `headrace inspect`."""

import io

import pytest
from rich.console import Console
from rich.table import Table

from headrace.cli.inspect import print_table


def printed(width: int) -> str:
    table = Table(title="channels")
    for column in ("node", "vchannel", "trouble", "server id"):
        table.add_column(column)
    table.add_row("data-node-1", "headrace-dml-0_2097153v0", "", "17")
    table.add_row("data-node-2", "headrace-dml-1_2097153v1", "put failed [Errno 28]", "18")
    stream = io.StringIO()
    print_table(Console(file=stream, width=width), table)
    return stream.getvalue()


def test_what_fits_is_a_table() -> None:
    assert "┃ node " in printed(100)


@pytest.mark.parametrize("width", [70, 50])
def test_a_narrow_terminal_cuts_nothing_off_and_empty_cells_are_left_out(width: int) -> None:
    text = printed(width)
    assert "…" not in text
    words = " ".join(text.split())
    assert "node: data-node-1 vchannel: headrace-dml-0_2097153v0 server id: 17" in words
    assert "trouble: put failed [Errno 28] server id: 18" in words
    assert all(len(line) <= width for line in text.splitlines())
