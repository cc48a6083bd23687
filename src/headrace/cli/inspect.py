"""`headrace status` and `headrace inspect`: what the cluster says of itself, as tables.

Each role's `StatusRequest` handler gives lists of rows; what holds a checkpoint is named there.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from headrace.app.observe import Seen, collection_names, etcd_settings, look
from headrace.meta.records import Role
from headrace.model.channel import parse_vchannel
from headrace.model.ids import CollectionId

WIDTH_WITHOUT_TERMINAL = 200


def console_for_tables() -> Console:
    """As wide as the terminal; wide enough for the tables where there is none."""
    console = Console(highlight=False)
    return (
        console if console.is_terminal else Console(width=WIDTH_WITHOUT_TERMINAL, highlight=False)
    )


def print_table(console: Console, table: Table) -> None:
    """Print it as a table where it fits; else a line or two for each row, with nothing cut off."""
    unbounded = console.options.update(max_width=10_000)
    if console.measure(table, options=unbounded).maximum <= console.width:
        console.print(table)
        return
    console.print(Text(str(table.title)), style="bold")
    columns = [(str(column.header), list(column.cells)) for column in table.columns]
    for row in range(table.row_count):
        said = [f"{name}: {cells[row]}" for name, cells in columns if cells[row]]
        console.print(Padding(Text("  ".join(said), overflow="fold"), (0, 0, 0, 2)))


def processes(seen: Sequence[Seen]) -> Table:
    """Who has a session, who leads, who answers."""
    table = Table(title="processes", title_justify="left")
    for column in ("role", "node", "server id", "state", "address", "leads", "answers"):
        table.add_column(column)
    for one in seen:
        session = one.session
        table.add_row(
            session.role.value,
            session.node_name,
            str(session.server_id),
            one.state or session.state.value,
            session.public_address or session.address,
            "yes" if one.leads else "",
            one.trouble or "yes",
        )
    return table


def tables_of(seen: Sequence[Seen], names: Mapping[CollectionId, str]) -> list[Table]:
    """One table for each list of rows in the answers; equal lists of several nodes are joined.

    Rows about a collection or a vchannel get the collection's name beside the id.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for one in seen:
        for name, rows in one.details.items():
            if isinstance(rows, list) and all(isinstance(row, Mapping) for row in rows):
                said = [_named({"node": one.session.node_name, **row}, names) for row in rows]
                found.setdefault(name, []).extend(said)
    return [_table(name, rows) for name, rows in found.items() if rows]


def _named(row: dict[str, Any], names: Mapping[CollectionId, str]) -> dict[str, Any]:
    collection_id = row.get("collection_id", 0)
    if not collection_id and "vchannel" in row:
        collection_id = parse_vchannel(row["vchannel"]).collection_id
    if not collection_id:
        return row
    named: dict[str, Any] = {}
    for key, value in row.items():
        if key in ("vchannel", "collection_id"):
            named.setdefault("collection", names.get(collection_id, "(dropped)"))
        named[key] = value
    return named


def _table(name: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=name, title_justify="left")
    columns = list(dict.fromkeys(key for row in rows for key in row))
    for column in columns:
        table.add_column(column.replace("_", " "))
    for row in rows:
        table.add_row(*(_text(row.get(column, "")) for column in columns))
    return table


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{key}={_text(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    return "" if value is None else str(value)


def show(topic: str, *, data_dir: Path | None, etcd: str | None) -> int:
    """Ask and print; 1 when nobody answered."""
    where = etcd_settings(data_dir, etcd)
    seen = asyncio.run(look(where, topic))
    console = console_for_tables()
    if topic in ("", "nodes"):
        print_table(console, processes(seen))
    tables = tables_of(seen, asyncio.run(collection_names(where)))
    for table in tables:
        print_table(console, table)
    if topic not in ("", "nodes") and not tables:
        silent = [f"{s.session.node_name}: {s.trouble}" for s in seen if s.trouble]
        console.print("\n".join(silent) or f"no {topic}")
    return 0 if any(not one.trouble for one in seen) else 1


def show_status(*, data_dir: Path | None, etcd: str | None) -> int:
    """Ask and print; 1 when a process does not answer."""
    where = etcd_settings(data_dir, etcd)
    seen = asyncio.run(look(where))
    console = console_for_tables()
    print_table(console, processes(seen))
    names = asyncio.run(collection_names(where))
    channels = asyncio.run(look(where, "channels", Role.DATA_SERVICE))
    for table in tables_of([without_dropped(one) for one in channels], names):
        print_table(console, table)
    return 1 if any(one.trouble for one in seen) else 0


def without_dropped(one: Seen) -> Seen:
    """An answer without the vchannels of dropped collections, of which a trace stays for some
    minutes: nobody watches them, and `inspect channels` has them."""

    def living(rows: Any) -> Any:
        if not isinstance(rows, list):
            return rows
        return [r for r in rows if not (isinstance(r, Mapping) and r.get("state") == "dropped")]

    return replace(one, details={name: living(rows) for name, rows in one.details.items()})
