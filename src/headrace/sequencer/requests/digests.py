"""When the next digest is due and what stands in it.

A digest is a message of its own, which holds the ids of all messages above `since` and below
itself; so the next one's `since` is its message id.
"""

from collections.abc import Iterable

from headrace.model.entry import Digest, DigestItem
from headrace.model.ids import MessageId
from headrace.model.timestamp import Timestamp
from headrace.sequencer.events import Past
from headrace.sequencer.requests.window import Window
from headrace.sequencer.settings import SequencerSettings


class Digests:
    """The digest to come."""

    def __init__(self, settings: SequencerSettings, past: Past) -> None:
        self._settings = settings
        self._previous = past.digest
        self._since = past.since
        self._items = list(past.recent)
        self._bytes = past.bytes_since
        self._messages = past.messages_since

    @property
    def due(self) -> bool:
        """Whether the tail behind the last digest has become long."""
        return (
            self._bytes >= self._settings.digest_bytes
            or self._messages >= self._settings.digest_messages
            or len(self._items) >= self._settings.digest_ids
        )

    def stands(self, size_bytes: int, items: Iterable[DigestItem]) -> None:
        """A message that is no digest stands."""
        self._bytes += size_bytes
        self._messages += 1
        self._items += items

    def entry(self, timestamp: Timestamp, window: Window) -> Digest:
        """The digest, without the ids that lie below the window."""
        kept = tuple(i for i in self._items if i.first_sent > window.floor(i.keyed))
        return Digest(timestamp, self._previous, window.floor(keyed=True), self._since, kept)

    def written(self, message_id: MessageId) -> None:
        """The digest stands."""
        self._previous = self._since = message_id
        self._items = []
        self._bytes = self._messages = 0
