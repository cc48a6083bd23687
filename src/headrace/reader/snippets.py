"""Programs that read a snapshot right with other tools: DuckDB, Polars and PyArrow.

They need the tool and the files, and none of our code. They name each file, since only listed files
count: a glob would also read files of killed writers. Partitions are in them only where a delete
concerns one of them; the names of helper columns have a space, which no field's name has. A test
runs every program and compares its rows with the reader's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from headrace.binlog.delta_log import PARTITION_COLUMN
from headrace.model.errors import NotFound
from headrace.model.ids import PartitionId
from headrace.model.schema import ROW_ID_COLUMN, TIMESTAMP_COLUMN, DataType, Field
from headrace.objects.arrow_files import local_root
from headrace.reader.snapshot import Snapshot

_PLACE = "partition id"
_TYPES = {  # for defaults: (DuckDB, Polars, PyArrow)
    DataType.BOOL: ("BOOLEAN", "pl.Boolean", "pa.bool_()"),
    DataType.INT8: ("TINYINT", "pl.Int8", "pa.int8()"),
    DataType.INT16: ("SMALLINT", "pl.Int16", "pa.int16()"),
    DataType.INT32: ("INTEGER", "pl.Int32", "pa.int32()"),
    DataType.INT64: ("BIGINT", "pl.Int64", "pa.int64()"),
    DataType.FLOAT: ("FLOAT", "pl.Float32", "pa.float32()"),
    DataType.DOUBLE: ("DOUBLE", "pl.Float64", "pa.float64()"),
    DataType.VARCHAR: ("VARCHAR", "pl.String", "pa.string()"),
    DataType.JSON: ("VARCHAR", "pl.String", "pa.string()"),
}


_BUCKET_IN_DUCKDB = """\
-- Once, with AWS's usual variables in the environment:
--   INSTALL httpfs; LOAD httpfs; INSTALL aws; LOAD aws;
--   CREATE SECRET (TYPE s3, PROVIDER credential_chain, CHAIN 'env');
-- and for a server that is not AWS's: (..., ENDPOINT 'host:port', URL_STYLE 'path', USE_SSL false)
"""
_BUCKET_IN_ARROW = """\
# Reached by AWS's usual variables in the environment.
store = pafs.S3FileSystem(endpoint_override=os.environ.get("AWS_ENDPOINT_URL"))"""


@dataclass(frozen=True, slots=True)
class _Group:
    """Insert logs with the same columns: (name in the snapshot, name in the files or None).

    `partition_id` is None where partitions do not matter.
    """

    columns: tuple[tuple[str, str | None], ...]
    partition_id: PartitionId | None
    paths: tuple[str, ...]


def duckdb_sql(snapshot: Snapshot, store: str | Path, query: str = "") -> str:
    """One SQL statement in which `rows` is the collection; the query counts rows and sums keys
    (or names the first and last varchar key) unless another is given."""
    key, at = _identifier(snapshot.fields.key.name), snapshot.timestamp

    def column(name: str, source: str | None) -> str:
        if source is not None:
            return f"{_identifier(source)} AS {_identifier(name)}"
        return f"{_sql_value(_field(snapshot, name))} AS {_identifier(name)}"

    parts = []
    for group in _groups(snapshot, store):
        columns = [column(*c) for c in group.columns]
        if group.partition_id is not None:
            columns.append(f"{group.partition_id} AS {_identifier(_PLACE)}")
        files = f"read_parquet({_listed(group.paths, _sql_text)})"
        parts.append(f"SELECT {', '.join(columns)}\n    FROM {files}")
    made = [
        (_BUCKET_IN_DUCKDB if _is_bucket(store) else "")
        + "WITH stored AS (\n    "
        + "\n    UNION ALL BY NAME ".join(parts)
        + "\n)"
    ]
    own = [ROW_ID_COLUMN, TIMESTAMP_COLUMN]
    shown, join = f"{TIMESTAMP_COLUMN} <= {at}", ""
    deltas = _deltas(snapshot, store)
    if snapshot.deletes.name_partitions:
        own.append(_identifier(_PLACE))
        made.append(
            f"deletes AS (\n    SELECT key, coalesce({PARTITION_COLUMN}, 0) AS place, "
            f"max({TIMESTAMP_COLUMN}) AS until\n"
            f"    FROM read_parquet({_listed(deltas, _sql_text)}, union_by_name = true)\n"
            f"    WHERE {TIMESTAMP_COLUMN} <= {at} GROUP BY ALL\n)"
        )
        shown += (
            f" AND NOT EXISTS (\n        FROM deletes WHERE deletes.key = stored.{key}\n"
            f"        AND deletes.place IN (0, stored.{_identifier(_PLACE)})\n"
            f"        AND deletes.until > stored.{TIMESTAMP_COLUMN}\n    )"
        )
    elif deltas:
        made.append(
            f"deletes AS (\n    SELECT key, max({TIMESTAMP_COLUMN}) AS until\n"
            f"    FROM read_parquet({_listed(deltas, _sql_text)})\n"
            f"    WHERE {TIMESTAMP_COLUMN} <= {at} GROUP BY key\n)"
        )
        join = f" LEFT JOIN deletes ON stored.{key} = deletes.key"
        shown += f" AND (deletes.until IS NULL OR {TIMESTAMP_COLUMN} >= deletes.until)"
    made.append(
        f"rows AS (\n    SELECT stored.* EXCLUDE ({', '.join(own)})\n"
        f"    FROM stored{join}\n    WHERE {shown}\n)"
    )
    ends = f"sum({key})" if _is_number(snapshot) else f"min({key}), max({key})"
    return ",\n".join(made) + f"\n{query or f'SELECT count(*), {ends} FROM rows'};"


def polars_program(snapshot: Snapshot, store: str | Path) -> str:
    """A Python program in which `rows` is a LazyFrame of the collection; it prints the number of
    rows and the sum of keys (or the first and last varchar key)."""
    key, young = snapshot.fields.key.name, f'pl.col("{TIMESTAMP_COLUMN}") <= {snapshot.timestamp}'

    def column(name: str, source: str | None) -> str:
        known = _field(snapshot, name)
        if source is not None:
            return f"pl.col({source!r}).alias({name!r})"
        kind = f", dtype={_TYPES[known.type][1]}" if known.type in _TYPES else ""
        return f"pl.lit({known.default!r}{kind}).alias({name!r})"

    made = ["import polars as pl", "", "stored = ["]
    for group in _groups(snapshot, store):
        columns = ", ".join(column(*c) for c in group.columns)
        if group.partition_id is not None:
            columns += f', pl.lit({group.partition_id}, dtype=pl.Int64).alias("{_PLACE}")'
        made.append(f"    pl.scan_parquet({_listed(group.paths, repr)}).select({columns}),")
    made += ["]", f'rows = pl.concat(stored, how="vertical_relaxed").filter({young})']
    made += _polars_deletes(snapshot, store, young)
    ends = ["sum"] if _is_number(snapshot) else ["min", "max"]
    shown = ", ".join(f'pl.col({key!r}).{e}().alias("{e}")' for e in ends)
    made += [
        f'rows = rows.drop("{ROW_ID_COLUMN}", "{TIMESTAMP_COLUMN}")',
        f"print(*rows.select(pl.len(), {shown}).collect().row(0))",
    ]
    return "\n".join(made)


def _polars_deletes(snapshot: Snapshot, store: str | Path, young: str) -> list[str]:
    key = snapshot.fields.key.name
    deltas = _deltas(snapshot, store)
    until = f'pl.col("{TIMESTAMP_COLUMN}").max().alias("until when")'
    later = f'pl.col("{TIMESTAMP_COLUMN}") >= pl.col("until when")'
    keep = f'rows.filter(pl.col("until when").is_null() | ({later})).drop("until when")'
    if snapshot.deletes.name_partitions:
        place = f'pl.col("{PARTITION_COLUMN}").fill_null(0).alias("{_PLACE}")'
        return [
            f"deletes = [pl.scan_parquet(file) for file in {_listed(deltas, repr)}]",
            f'deletes = pl.concat(deletes, how="diagonal").filter({young})',
            f"deletes = deletes.with_columns({place})",
            f'everywhere = deletes.filter(pl.col("{_PLACE}") == 0).group_by("key").agg({until})',
            f'rows = rows.join(everywhere, left_on={key!r}, right_on="key", how="left")',
            f"rows = {keep}",
            f'within = deletes.group_by("key", "{_PLACE}").agg({until})',
            f'left, right = [{key!r}, "{_PLACE}"], ["key", "{_PLACE}"]',
            'rows = rows.join(within, left_on=left, right_on=right, how="left")',
            f'rows = {keep}.drop("{_PLACE}")',
        ]
    if deltas:
        return [
            f"deletes = pl.scan_parquet({_listed(deltas, repr)}).filter({young})",
            f'deletes = deletes.group_by("key").agg({until})',
            f'rows = rows.join(deletes, left_on={key!r}, right_on="key", how="left")',
            f"rows = {keep}",
        ]
    return []


def pyarrow_program(snapshot: Snapshot, store: str | Path) -> str:
    """A Python program in which `rows` is a Table of the collection; it prints the number of rows
    and the sum of keys (or the first and last varchar key)."""
    key = snapshot.fields.key.name

    def column(name: str, source: str | None) -> str:
        known = _field(snapshot, name)
        if source is not None:
            return f"{name!r}: pc.field({source!r})"
        kind = _TYPES[known.type][2] if known.type in _TYPES else "pa.null()"
        return f"{name!r}: pc.scalar(pa.scalar({known.default!r}, {kind}))"

    made = [
        *(["import os", ""] if _is_bucket(store) else []),
        "import pyarrow as pa",
        "import pyarrow.compute as pc",
        "import pyarrow.dataset as ds",
        *(["import pyarrow.fs as pafs", "", _BUCKET_IN_ARROW] if _is_bucket(store) else []),
        "",
        f'young = pc.field("{TIMESTAMP_COLUMN}") <= {snapshot.timestamp}',
        "stored = []",
    ]
    for group in _groups(snapshot, store):
        columns = ", ".join(column(*c) for c in group.columns)
        if group.partition_id is not None:
            columns += f', "{_PLACE}": pc.scalar(pa.scalar({group.partition_id}, pa.int64()))'
        made += [
            f"files = {_dataset(store, _listed(group.paths, _arrow_name))}",
            f"stored.append(files.to_table(columns={{{columns}}}, filter=young))",
        ]
    made.append('rows = pa.concat_tables(stored, promote_options="permissive")')
    made += _pyarrow_deletes(snapshot, store)
    ends = ["sum"] if _is_number(snapshot) else ["min", "max"]
    shown = ", ".join(f"pc.{e}(rows[{key!r}])" for e in ends)
    made += [
        f'rows = rows.drop_columns(["{ROW_ID_COLUMN}", "{TIMESTAMP_COLUMN}"])',
        f"print(rows.num_rows, {shown})",
    ]
    return "\n".join(made)


def _pyarrow_deletes(snapshot: Snapshot, store: str | Path) -> list[str]:
    key = snapshot.fields.key.name
    deltas = _deltas(snapshot, store)
    until = f'pc.field("{TIMESTAMP_COLUMN}_max")'
    keep = f'ids.filter({until}.is_null() | (pc.field("{TIMESTAMP_COLUMN}") >= {until}))'
    if snapshot.deletes.name_partitions:
        return [
            f"deltas = {_listed(deltas, _arrow_name)}",
            f"deltas = [{_dataset(store, 'file')}.to_table(filter=young) for file in deltas]",
            'deletes = pa.concat_tables(deltas, promote_options="default")',
            f'place = pc.fill_null(deletes["{PARTITION_COLUMN}"], 0)',
            f'deletes = deletes.append_column("{_PLACE}", place)',
            f'latest = [("{TIMESTAMP_COLUMN}", "max")]',
            f'everywhere = deletes.filter(pc.field("{_PLACE}") == 0).group_by("key")',
            f'ids = rows.select([{key!r}, "{ROW_ID_COLUMN}", "{TIMESTAMP_COLUMN}", "{_PLACE}"])',
            f'ids = ids.join(everywhere.aggregate(latest), {key!r}, "key")',
            f'ids = {keep}.drop_columns(["{TIMESTAMP_COLUMN}_max"])',
            f'within = deletes.group_by(["key", "{_PLACE}"]).aggregate(latest)',
            f'ids = ids.join(within, [{key!r}, "{_PLACE}"], ["key", "{_PLACE}"])',
            f"ids = {keep}",
            f'rows = rows.filter(pc.field("{ROW_ID_COLUMN}").isin(ids["{ROW_ID_COLUMN}"]))',
            f'rows = rows.drop_columns(["{_PLACE}"])',
        ]
    if deltas:
        return [
            f"deletes = {_dataset(store, _listed(deltas, _arrow_name))}.to_table(filter=young)",
            f'deletes = deletes.group_by("key").aggregate([("{TIMESTAMP_COLUMN}", "max")])',
            f'ids = rows.select([{key!r}, "{ROW_ID_COLUMN}", "{TIMESTAMP_COLUMN}"])',
            f'ids = ids.join(deletes, {key!r}, "key")',
            f"ids = {keep}",
            f'rows = rows.filter(pc.field("{ROW_ID_COLUMN}").isin(ids["{ROW_ID_COLUMN}"]))',
        ]
    return []


def _groups(snapshot: Snapshot, store: str | Path) -> list[_Group]:
    names = [*snapshot.schema.names, ROW_ID_COLUMN, TIMESTAMP_COLUMN]
    parted = snapshot.deletes.name_partitions
    groups: dict[tuple[tuple[tuple[str, str | None], ...], PartitionId | None], list[str]] = {}
    for file in snapshot.files:
        columns = tuple((name, file.source(name)) for name in names)
        place = (columns, file.partition_id if parted else None)
        groups.setdefault(place, []).append(_location(store, file.ref.key))
    if not groups:
        raise NotFound(f"collection {snapshot.name!r} has no files yet", field="collection")
    return [_Group(*place, tuple(paths)) for place, paths in groups.items()]


def _deltas(snapshot: Snapshot, store: str | Path) -> tuple[str, ...]:
    deltas = snapshot.found.manifest.deltas
    return tuple(_location(store, d.key) for d in deltas if d.first_timestamp <= snapshot.timestamp)


def _location(store: str | Path, key: str) -> str:
    """Where other tools find an object: a path, or the URI in a bucket."""
    text = str(store)
    if "://" in text and not text.startswith("file:"):
        return f"{text.rstrip('/')}/{key}"
    return str(local_root(store) / key)


def _is_bucket(store: str | Path) -> bool:
    return str(store).startswith("s3://")


def _arrow_name(path: str) -> str:
    return repr(path.removeprefix("s3://"))


def _dataset(store: str | Path, files: str) -> str:
    """The call that opens files in PyArrow, which takes a list of them only beside its store."""
    return f"ds.dataset({files}, filesystem=store)" if _is_bucket(store) else f"ds.dataset({files})"


def _field(snapshot: Snapshot, name: str) -> Field:
    known = snapshot.fields.field(name)
    return known or Field(id=0, name=name, type=DataType.INT64)  # an own column


def _is_number(snapshot: Snapshot) -> bool:
    return snapshot.fields.key.type == DataType.INT64


def _listed(values: tuple[str, ...], spell: Callable[[str], str]) -> str:
    return "[" + ", ".join(spell(v) for v in values) + "]"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _sql_text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _sql_value(known: Field) -> str:
    if known.default is None:
        return "NULL"
    value = _sql_text(known.default) if isinstance(known.default, str) else repr(known.default)
    return f"CAST({value} AS {_TYPES[known.type][0]})"
