"""What a proxy is told, beside what its sequencers are asked."""

from headrace.rpc.messages.registry import Done, answered_by


@answered_by(Done, kw_only=True)
class ManifestStoredRequest:
    """The data service tells all proxies: a manifest is stored, so all of this collection at or
    below the timestamp is in files, for good. Best effort: who was not told asks."""

    collection_id: int
    timestamp: int
