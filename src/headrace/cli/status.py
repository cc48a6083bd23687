"""`headrace status`: who runs, who leads, who watches what.

**Owns** what belongs on one screen. **Does not own** the tables (`cli.inspect`).
"""

import asyncio
from pathlib import Path

from headrace.app.observe import etcd_settings, look
from headrace.cli.inspect import console_for_tables, print_table, processes, tables_of
from headrace.meta.records import Role


def show_status(*, data_dir: Path | None, etcd: str | None) -> int:
    """Ask and print; 1 when a process does not answer."""
    where = etcd_settings(data_dir, etcd)
    seen = asyncio.run(look(where))
    console = console_for_tables()
    print_table(console, processes(seen))
    for table in tables_of(asyncio.run(look(where, "channels", Role.DATA_SERVICE)), "channels"):
        print_table(console, table)
    return 1 if any(one.trouble for one in seen) else 0
