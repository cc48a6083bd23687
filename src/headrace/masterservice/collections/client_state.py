"""State that clients leave about a collection, such as indexes and loads, and only read again.

Nothing in Headrace rests on it; what it means is known to the proxy, and it goes with the
collection. Here stands what may be kept.
"""

from headrace.model.errors import Invalid
from headrace.model.refusals import Refusal

MOST_TOPIC_BYTES = 1024
MOST_VALUE_BYTES = 65_536  # the meta store is for small values


def check_client_state(topic: str, value: bytes) -> None:
    """`Invalid` when this is not something to keep."""
    if not topic or len(topic.encode()) > MOST_TOPIC_BYTES:
        raise Invalid(f"a topic has 1 to {MOST_TOPIC_BYTES} bytes", field="topic")
    if len(value) > MOST_VALUE_BYTES:
        raise Refusal.SAID_TOO_LARGE(at="value", got=len(value), most=MOST_VALUE_BYTES)
