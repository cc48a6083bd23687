"""What clients say of a collection and only want to hear again: indexes, loads.

**Owns** what may be kept. **Does not own** what it means (`proxy`): nothing in Headrace rests on
it, and it goes with the collection.
"""

from headrace.model.errors import Invalid
from headrace.model.refusals import Refusal

MOST_TOPIC_BYTES = 1024
MOST_VALUE_BYTES = 65_536  # the meta store is for small values


def check_said(topic: str, value: bytes) -> None:
    """`Invalid` when this is not something to keep."""
    if not topic or len(topic.encode()) > MOST_TOPIC_BYTES:
        raise Invalid(f"a topic has 1 to {MOST_TOPIC_BYTES} bytes", field="topic")
    if len(value) > MOST_VALUE_BYTES:
        raise Refusal.SAID_TOO_LARGE(at="value", got=len(value), most=MOST_VALUE_BYTES)
