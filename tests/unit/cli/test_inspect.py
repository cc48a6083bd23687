"""The tables of `headrace status` and `headrace inspect`."""

import io
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from headrace.app.observe import Seen
from headrace.cli.inspect import print_table, tables_of, without_dropped
from headrace.meta.records import Role, SessionRecord, SessionState


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


def said(**details: Any) -> Seen:
    session = SessionRecord(
        server_id=3,
        role=Role.DATA_SERVICE,
        node_name="data-service-1",
        address="127.0.0.1:7",
        state=SessionState.HEALTHY,
    )
    return Seen(session=session, leads=True, details=details)


def cells(table: Table) -> dict[str, list[str]]:
    return {str(c.header): [str(cell) for cell in c.cells] for c in table.columns}


def test_a_vchannel_and_a_segment_have_the_name_of_their_collection_beside_the_id() -> None:
    names = {7: "docs", 9: "old (dropped)"}
    rows = [{"vchannel": f"headrace-dml-0_{n}v1", "epoch": 1} for n in (7, 9, 11)]
    (table,) = tables_of([said(channels=rows)], names)
    assert cells(table)["collection"] == ["docs", "old (dropped)", "(dropped)"]
    assert cells(table)["vchannel"] == [row["vchannel"] for row in rows]
    (table,) = tables_of([said(segments=[{"segment_id": 5, "collection_id": 7}])], names)
    assert list(cells(table)) == ["node", "segment id", "collection", "collection id"]
    assert cells(table)["collection"] == ["docs"]


def test_what_is_about_no_collection_has_no_name() -> None:
    (table,) = tables_of([said(nodes=[{"state": "healthy"}])], {7: "docs"})
    assert list(cells(table)) == ["node", "state"]


def test_status_leaves_the_vchannels_of_dropped_collections_out() -> None:
    rows = [{"vchannel": "a-0_7v0", "state": s} for s in ("running", "dropped")]
    seen = without_dropped(said(channels=rows, leads=True))
    assert seen.details == {"channels": rows[:1], "leads": True}
