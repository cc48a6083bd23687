"""The errors of Headrace, sorted by what the caller should do.

    HeadraceError
    ├── Unavailable   again, later
    ├── Fenced        stop: someone newer owns this
    ├── Conflict      re-read, decide
    ├── Invalid       the caller is wrong; names the field
    └── Corrupt       not what we wrote: stop this channel, say so, keep the others running

`AssertionError` is not among them: it means that we are wrong. An error is logged once, where it is
handled. `proxy` maps these to Milvus's codes.
"""


class HeadraceError(Exception):
    """Base of all errors that Headrace raises on purpose."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Unavailable(HeadraceError):
    """It cannot be reached now, or the outcome is unknown: ask again, later."""


class Fenced(HeadraceError):
    """Someone newer owns this: stop."""


class Conflict(HeadraceError):
    """What was compared has changed: read again, decide again."""


class Invalid(HeadraceError):
    """The caller is wrong; `field` names where, `code` is Milvus's error code if one fits
    better."""

    def __init__(self, message: str, *, field: str = "", code: int = 1100) -> None:
        super().__init__(message)
        self.field = field
        self.code = code


class NotFound(Invalid):
    """What the caller names is absent."""


class Corrupt(HeadraceError):
    """Not what we wrote; `channel` (or key) names where."""

    def __init__(self, message: str, *, channel: str = "") -> None:
        super().__init__(message)
        self.channel = channel
