"""`headrace status`: which processes run, which lead, which watch what, on one screen."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from headrace.app.observe import Seen, collection_names, etcd_settings, look
from headrace.cli.inspect import console_for_tables, print_table, processes, tables_of
from headrace.meta.records import Role


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
