"""`headrace inspect journal`: the last steps of a process's machines, printed, kept, replayed.

A file has the journals of all machines of the process behind each other. A line that is a JSON
object begins a machine (its name, what it was made of, how many steps were lost), each line behind
it is a step.
"""

import asyncio
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from headrace.app.observe import etcd_settings, look
from headrace.model.errors import Invalid, NotFound
from headrace.runtime.journal.replay import JOURNAL, Recorded, read_lines, replay


def show_journal(
    node: str, *, data_dir: Path | None, etcd: str | None, about: str, out: Path | None
) -> int:
    """Fetch the journals of a running process: into a file, or the steps about a text printed."""
    seen = asyncio.run(look(etcd_settings(data_dir, etcd), JOURNAL))
    found = next((one for one in seen if one.session.node_name == node), None)
    if found is None:
        names = ", ".join(one.session.node_name for one in seen)
        raise NotFound(f"no process is called {node}; there are {names}", field="node")
    if found.trouble:
        raise Invalid(f"{node} does not answer: {found.trouble}", field="node")
    lines = lines_of(found.details.get(JOURNAL, []))
    if out is not None:
        out.write_text("".join(f"{line}\n" for line in lines))
        print(f"{len(lines)} lines are in {out}", file=sys.stderr)
        return 0
    for name, record in read(lines).items():
        steps = [step for step in record.steps if step.mentions(about)]
        lost = f", {record.lost} before them are lost" if record.lost else ""
        print(f"{name}: {len(steps)} steps{lost}")
        for step in steps:
            print(step)
    return 0


def replay_file(path: Path) -> int:
    """Step the machines of a file again; 1 when one of them orders something else."""
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error}", field="replay") from error
    differences = 0
    for name, record in read(lines).items():
        difference = replay(record)
        differences += bool(difference)
        print(f"{name}: {difference or f'{len(record.steps)} steps replayed, same effects'}")
    return 1 if differences else 0


def lines_of(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The journals of a process, as in a file; a row has the name of a machine and one line."""
    return [
        json.dumps({"machine": row["machine"], **json.loads(row["line"])})
        if row["line"].startswith("{")
        else row["line"]
        for row in rows
    ]


def read(lines: Iterable[str]) -> dict[str, Recorded]:
    """The journals of a file by the names of their machines; `Invalid` where one is no journal."""
    journals: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("{"):
            journals[json.loads(line).get("machine", "")] = own = [line]
        elif journals:
            own.append(line)
    return {name: read_lines(own) for name, own in journals.items()}
