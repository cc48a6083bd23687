"""The flags of `headrace ingest`, each with its help.

They stand apart from the command because there are many; importing them costs nothing.
"""

from pathlib import Path
from typing import Annotated

import typer

Files = Annotated[
    list[Path], typer.Argument(help=".parquet, .jsonl, .csv, .npy, or - (standard input).")
]
Collection = Annotated[str, typer.Option(help="Where the rows go.")]
Uri = Annotated[
    str | None,
    typer.Option(help="Of a front door; else that of --data-dir, else http://127.0.0.1:19530."),
]
Store = Annotated[
    str | None,
    typer.Option(help="URI of the object store, to look rows up when they were sent long ago."),
]
Token = Annotated[
    str,
    typer.Option(
        envvar="HEADRACE_PROXY__TOKEN", help="If the server wants one; better in the environment."
    ),
]
Partition = Annotated[str, typer.Option(help="Else _default.")]
Create = Annotated[
    bool, typer.Option("--create", help="Make the collection by the first file's columns.")
]
Key = Annotated[str | None, typer.Option(help="With --create: the column that is the primary key.")]
Vectors = Annotated[
    list[str] | None, typer.Option(help="With --create: a column of lists that are vectors.")
]
Shards = Annotated[int, typer.Option(min=0, help="With --create; 0: as the server likes.")]
Columns = Annotated[
    str | None, typer.Option(help="Read these columns only: a,b,c.", metavar="NAMES")
]
KeyColumn = Annotated[
    str | None,
    typer.Option(help="Tells rows apart when a killed ingest goes on; else the key does."),
]
FirstKey = Annotated[int, typer.Option(help="Of a .npy file: the key of its first row.")]
Format = Annotated[
    str | None, typer.Option("--format", help="parquet, jsonl, csv or npy; else by the name.")
]
SkipBad = Annotated[
    Path | None, typer.Option(help="Write rows that do not fit here, as JSON lines; go on.")
]
Journal = Annotated[
    Path | None, typer.Option(help="Directory of the journals; else beside each file.")
]
Flush = Annotated[bool, typer.Option("--flush", help="Wait until the rows are in files.")]
