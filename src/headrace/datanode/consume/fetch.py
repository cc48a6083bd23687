"""Fetches messages of the log and decodes them into groups.

The machine numbers its readers and orders one fetch at a time of each. A reader is opened at its
first fetch. A message that is no group of ours is an outcome, not an error: what came before it is
handed over with the sentence that says what is wrong.
"""

import asyncio
from collections.abc import Sequence

from headrace.datanode.effects import Fetch
from headrace.datanode.events import FetchEnded, GroupsFetched
from headrace.datanode.handoff import FetchedGroup
from headrace.datanode.settings import DataNodeSettings
from headrace.frame.surroundings import Surroundings
from headrace.log.api import LogReader, Message
from headrace.model import group
from headrace.model.channel import PChannel
from headrace.model.entry import Rows
from headrace.model.errors import Corrupt
from headrace.runtime.retry import retry


class Fetcher:
    """The open readers of one node."""

    def __init__(self, around: Surroundings[DataNodeSettings]) -> None:
        self._log = around.log
        self._host = around.host
        self._readers: dict[int, LogReader] = {}
        self._fetching: dict[int, asyncio.Task[Sequence[Message]]] = {}
        self._called_off: dict[int, None] = {}
        counter = around.telemetry.counter
        self._bytes = counter("datanode_consumed_bytes_total", "Bytes of messages fetched")
        self._rows = counter("datanode_consumed_rows_total", "Rows in messages fetched")

    async def fetch(self, effect: Fetch) -> GroupsFetched | FetchEnded:
        """The next messages of a reader; waits until there is one."""
        task = asyncio.create_task(self._messages(effect))
        self._fetching[effect.reader] = task
        try:
            messages = await task
        except Corrupt as error:
            return GroupsFetched(effect.reader, (), error.message)
        except asyncio.CancelledError:
            if effect.reader not in self._called_off:
                raise
            return FetchEnded(effect.reader)
        finally:
            del self._fetching[effect.reader]
            self._called_off.pop(effect.reader, None)
        groups, corrupt = decode(effect.pchannel, messages)
        for fetched in groups:
            self._bytes.inc(fetched.size_bytes)
            self._rows.inc(sum(e.rows for e in fetched.group.entries if isinstance(e, Rows)))
        return GroupsFetched(effect.reader, groups, corrupt)

    async def _messages(self, effect: Fetch) -> Sequence[Message]:
        reader = self._readers.get(effect.reader)
        if reader is None:
            reader = await retry(
                lambda: self._log.read(effect.pchannel, effect.next_id), self._host
            )
            self._readers[effect.reader] = reader
        return await reader.fetch(effect.credit_bytes)

    async def close_reader(self, reader_id: int) -> None:
        """Close a reader; its fetch under way, if there is one, ends with `FetchEnded`."""
        fetching = self._fetching.get(reader_id)
        if fetching is not None and not fetching.done():
            self._called_off[reader_id] = None
            fetching.cancel()
        reader = self._readers.pop(reader_id, None)
        if reader is not None:
            await reader.close()

    async def close(self) -> None:
        """Close all readers."""
        for reader_id in list(self._readers):
            await self.close_reader(reader_id)


def decode(pchannel: PChannel, messages: Sequence[Message]) -> tuple[tuple[FetchedGroup, ...], str]:
    """The groups up to the first message that is none, and what is wrong with that ("" = nothing).

    Bodies stay views of the messages.
    """
    groups: list[FetchedGroup] = []
    for message in messages:
        try:
            decoded = group.decode(message.data, f"{pchannel} at {message.id}")
        except Corrupt as error:
            return tuple(groups), f"message {message.id} of {pchannel}: {error.message}"
        groups.append(FetchedGroup(message.id, len(message.data), decoded))
    return tuple(groups), ""
