"""What an answer of the front door may be: an acknowledgement, or a sentence of the one table.

**Owns** the verdict on a Status. **Does not own** what an acknowledged request means
(`fuzz.meaning`).
"""

import re
import string

from headrace.model.refusals import INTERNAL_CODE, Refusal
from headrace.proxy.milvus import Message


def pattern(text: str) -> re.Pattern[str]:
    """What a sentence looks like with its names filled in."""
    parts = []
    for words, name, _, _ in string.Formatter().parse(text):
        parts.append(re.escape(words))
        if name:
            parts.append(".*?")
    return re.compile("".join(parts), re.DOTALL)


PATTERNS = [(r, r.value.code, pattern(r.value.text)) for r in Refusal if r is not Refusal.BROKEN]


class Wrong(Exception):
    """The front door did what it must never do."""


def refusal_of(status: Message, may_be_unknown: bool = False) -> Refusal | None:
    """Which sentence of the table this is; None when the request was done. `Wrong` otherwise.

    Only who says when a request was first sent may be told that its outcome is not known any more.
    """
    if status.code == 0:
        if status.reason or status.error_code:
            raise Wrong(f"done, and yet: {status.error_code} {status.reason!r}")
        return None
    for refusal, code, form in PATTERNS:
        if code == status.code and form.fullmatch(status.reason):
            if code == INTERNAL_CODE and not may_be_unknown:
                break
            return refusal
    raise Wrong(f"no sentence of the table: {status.code} {status.reason!r}")
