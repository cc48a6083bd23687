"""`ingest`: files in, one after the other, from flags to what was done.

Here is what happens once a command: opening sources, making the collection, finding journals, the
final flush.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from headrace.ingest.client.connection import Connection, Described
from headrace.ingest.client.retry import PAUSES, Retries
from headrace.ingest.columns.made_schema import made_schema
from headrace.ingest.faults import BadRow
from headrace.ingest.options import STANDARD_INPUT, Format, Options
from headrace.ingest.resume.file_identity import FileIdentity, identity_of
from headrace.ingest.resume.journal import Subject, UploadJournal, is_begun, open_journal
from headrace.ingest.resume.rejects import Rejects, already_there
from headrace.ingest.sources.npy import KEY, NpySource
from headrace.ingest.sources.open import open_source
from headrace.ingest.sources.source import RowSource, brings
from headrace.ingest.upload import Listener, Upload
from headrace.model.errors import Invalid, NotFound, Unavailable
from headrace.model.schema import DataType, Schema
from headrace.runtime.host import Host
from headrace.runtime.retry import retry

T = TypeVar("T")
BEGIN_S = 10.0  # how long a server is waited for before anything was sent
_TELLING = (DataType.INT8, DataType.INT16, DataType.INT32, DataType.INT64, DataType.VARCHAR)


@dataclass(frozen=True, slots=True)
class SourceResult:
    """What became of one source. `whole`: every row of it is stored, or rejected."""

    source: str
    rows: int  # stored, by all runs
    rows_sent: int  # acknowledged in this run
    bytes_sent: int
    rejected: int  # in this run
    whole: bool
    journal: Path


class Ingest:
    """One run of the command. `stop` may be called at any time, from the same loop."""

    def __init__(self, options: Options, host: Host, listener: Listener) -> None:
        self._options = options
        self._host = host
        self._listener = listener
        self._upload: Upload | None = None
        self._stopped = False

    def stop(self) -> None:
        """Send nothing new; `run` returns soon."""
        self._stopped = True
        if self._upload is not None:
            self._upload.stop()

    async def run(self) -> list[SourceResult]:
        """Every source, in order. Raises what the command ends with."""
        sources = [open_source(path, self._options) for path in self._options.files]
        connection = Connection(self._options.uri, self._options.token)
        try:
            described = await self._described(connection, sources)
            for source in sources:
                source.check(described.schema)
            self._check_telling(described.schema)
            done: list[SourceResult] = []
            for path, source in zip(self._options.files, sources, strict=True):
                done.append(await self._one(path, source, described, connection))
                if not done[-1].whole:
                    return done
            if self._options.flush:
                retries = Retries(self._host, self._listener.note, self._options.retry_s)
                await retries.flush(connection, self._options.collection)
            return done
        finally:
            await connection.close()

    async def _one(
        self, path: Path, source: RowSource, described: Described, connection: Connection
    ) -> SourceResult:
        journal = await self._host.offload.run(lambda: self._journal(path, described))
        rejects = None
        try:
            sent = sum(s.rows for s in journal.sent if s.done)
            if journal.finished is not None and not journal.verify:
                self._listener.note(f"{source.name} was ingested before: {journal.path} says so")
                rows = journal.rows_standing
                return SourceResult(source.name, rows, 0, 0, 0, True, journal.path)
            if sent:
                self._listener.note(f"{source.name}: {sent:,} rows stand from before")
            rejects = self._rejects(journal)
            upload = self._upload = Upload(
                options=self._options,
                source=source,
                described=described,
                connection=connection,
                journal=journal,
                rejects=rejects,
                host=self._host,
                listener=self._listener,
            )
            if self._stopped:
                upload.stop()
            self._listener.began(source, journal)
            await upload.run()
            await self._compare(path, journal)
            return SourceResult(
                source=source.name,
                rows=journal.rows_standing,
                rows_sent=upload.rows_sent,
                bytes_sent=upload.bytes_sent,
                rejected=rejects.rows if rejects else 0,
                whole=not upload.stopped,
                journal=journal.path,
            )
        finally:
            journal.close()
            if rejects is not None:
                rejects.close()

    # ---- the collection ----------------------------------------------------------------------

    async def _described(self, connection: Connection, sources: Sequence[RowSource]) -> Described:
        name, options = self._options.collection, self._options
        try:
            if options.create:
                schema = await self._host.offload.run(lambda: self._checked(sources))
                await self._check_new(connection)
                await self._first(lambda: connection.create(name, schema, options.shards))
            return await self._first(lambda: connection.describe(name))
        except NotFound as error:
            raise Invalid(
                f"collection {name!r} does not exist: make it first, or with --create --key COLUMN "
                "from the file"
            ) from error
        except Unavailable as error:
            raise Unavailable(
                f"no server answers at {options.uri} ({error.message}); --uri names another"
            ) from error

    async def _first(self, call: Callable[[], Awaitable[T]]) -> T:
        """A call before anything was sent: a server that is not there is soon told."""
        return await retry(call, self._host, pauses=PAUSES, timeout_s=BEGIN_S)

    def _made(self, source: RowSource) -> Schema:
        key = self._options.key
        if key is None and isinstance(source, NpySource):
            key = KEY
        path = self._options.files[0]
        dynamic = self._options.format_of(path) == Format.JSONL
        return made_schema(source.name, source.fields(key), key, dynamic)

    def _checked(self, sources: Sequence[RowSource]) -> Schema:
        """The schema of a new collection, once nothing speaks against it: one that was made by a
        wrong call would stand in the way of the right one. Blocks."""
        schema, first = self._made(sources[0]), sources[0]
        for source in sources:
            source.check(schema)
        self._check_telling(schema, say=False)
        count, faults = first.try_first(schema)
        if faults and (self._options.skip_bad is None or len(faults) == count):
            row = min(faults)
            raise BadRow(first.name, row, faults[row])
        return schema

    async def _check_new(self, connection: Connection) -> None:
        """`Invalid` when the collection is not there and a journal says that it was."""
        name = self._options.collection
        try:
            await self._first(lambda: connection.describe(name))
        except NotFound:
            for path in self._options.files:
                place = self._journal_of(path)
                if await self._host.offload.run(partial(is_begun, place)):
                    raise Invalid(
                        f"{place} is about a collection {name!r} that is not there any more; "
                        f"remove it to ingest {path.name} into a new one"
                    ) from None
            rejects = self._options.skip_bad
            if rejects is not None and rejects.exists():
                raise Invalid(already_there(rejects)) from None

    def _check_telling(self, schema: Schema, *, say: bool = True) -> None:
        """The column that tells rows apart, and what it means that there is none."""
        name = self._options.key_column
        if name is None:
            if schema.key.auto_id and say:
                self._listener.note(
                    "the collection makes its keys itself: if this is killed, it can be gone on "
                    "with for 10 minutes only, unless --key-column names a column whose values "
                    "are different in every row"
                )
            return
        field = brings(schema).get(name)
        if field is None or field.type not in _TELLING:
            names = ", ".join(f.name for f in brings(schema).values() if f.type in _TELLING)
            raise Invalid(
                f"--key-column {name}: it must be a field of whole numbers or texts that the "
                f"file brings, such as {names or 'the collection has none'}"
            )

    # ---- beside the source -------------------------------------------------------------------

    async def _compare(self, path: Path, journal: UploadJournal) -> None:
        if path != STANDARD_INPUT:
            now = await self._host.offload.run(lambda: identity_of(path))
            if now != journal.identity:
                self._listener.note(
                    f"{path} has changed while it was read: start the same command again, which "
                    "compares what was sent with it"
                )

    def _journal_of(self, path: Path) -> Path:
        folder = self._options.journal or (Path() if path == STANDARD_INPUT else path.parent)
        return folder / f"{_stem(path)}.into-{self._options.collection}.journal"

    def _journal(self, path: Path, described: Described) -> UploadJournal:
        options = self._options
        piped = path == STANDARD_INPUT
        subject = Subject(
            collection=options.collection,
            collection_id=described.id,
            created=described.created,
            partition=options.partition,
            source=_stem(path),
            identity=FileIdentity() if piped else identity_of(path),
        )
        return open_journal(self._journal_of(path), subject, self._host.token(8).hex())

    def _rejects(self, journal: UploadJournal) -> Rejects | None:
        path = self._options.skip_bad
        if path is None:
            return None
        if journal.rejects == str(path.absolute()):
            return Rejects(path, max((s.rejects_bytes for s in journal.sent), default=0))
        rejects = Rejects(path, None)
        journal.write_rejects_to(str(path.absolute()))
        return rejects


def _stem(path: Path) -> str:
    return "standard-input" if path == STANDARD_INPUT else path.name
