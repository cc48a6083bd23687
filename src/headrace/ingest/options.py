"""The values of the command's flags, checked when they are made."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from headrace.ingest.batches import Limits
from headrace.ingest.lookup import Store
from headrace.model.errors import Invalid

DEFAULT_URI = "http://127.0.0.1:19530"
STANDARD_INPUT = Path("-")


class Format(StrEnum):
    """Of a source."""

    PARQUET = "parquet"
    JSONL = "jsonl"
    CSV = "csv"
    NPY = "npy"


_SUFFIXES = {
    ".parquet": Format.PARQUET,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".csv": Format.CSV,
    ".npy": Format.NPY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """See the flags of `headrace ingest`; checked when they are made."""

    files: tuple[Path, ...]
    collection: str
    uri: str = DEFAULT_URI
    token: str = ""
    partition: str = ""
    create: bool = False
    key: str | None = None
    shards: int = 0  # 0 = as the server likes
    vectors: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None
    key_column: str | None = None
    first_key: int = 0
    format: Format | None = None
    skip_bad: Path | None = None
    journal: Path | None = None  # a directory; None = beside each file
    store: Store | None = None
    flush: bool = False
    in_flight: int = 4
    limits: Limits = field(default_factory=Limits)
    retry_s: float = 120.0  # how long a server that takes nothing is waited for

    def __post_init__(self) -> None:
        if self.key is not None and not self.create:
            raise Invalid("--key goes with --create: a collection that is there has its key")
        if (self.vectors or self.shards) and not self.create:
            raise Invalid("--vector and --shards go with --create")
        if len(set(self.files)) < len(self.files):
            raise Invalid("a file is named twice")
        names = [f.name for f in self.files]
        if self.journal is not None and len(set(names)) < len(names):
            raise Invalid("two files have the same name: their journals can not share a directory")
        arrays = [f for f in self.files if self.format_of(f) == Format.NPY]
        if len(arrays) > 1:
            raise Invalid(
                "the keys of a .npy file are its row numbers, so several would have the same: "
                "ingest them one by one, with --first-key N for all but the first"
            )

    def format_of(self, path: Path) -> Format:
        """The format of a file; `Invalid` when neither its name nor a flag says it."""
        if self.format is not None:
            if path == STANDARD_INPUT and self.format in (Format.PARQUET, Format.NPY):
                raise Invalid(f"{self.format} is not read from standard input: name a file")
            return self.format
        if path == STANDARD_INPUT:
            return Format.JSONL
        found = _SUFFIXES.get(path.suffix.lower())
        if found is None:
            known = ", ".join(_SUFFIXES)
            raise Invalid(f"{path} ends in none of {known}: say --format parquet|jsonl|csv|npy")
        return found
