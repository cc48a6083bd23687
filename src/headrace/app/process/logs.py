"""Sets structlog up: JSON lines in `DIR/logs/NODE.log`, rotated; or readable lines on stderr."""

import logging
import logging.handlers
import sys
from pathlib import Path
from typing import Any

import structlog

ROTATE_BYTES = 16_000_000
KEPT_FILES = 4


def make_logger(name: str, *, directory: Path | None, level: str = "info") -> Any:
    """A logger that adds `process=name` to every event; to stderr when there is no directory."""
    handler: logging.Handler
    renderer: Any
    if directory is None:
        handler = logging.StreamHandler(sys.stderr)
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    else:
        directory.mkdir(parents=True, exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(
            directory / f"{name}.log", maxBytes=ROTATE_BYTES, backupCount=KEPT_FILES
        )
        renderer = structlog.processors.JSONRenderer(default=str)
    handler.setFormatter(logging.Formatter("%(message)s"))
    root = logging.getLogger("headrace")
    root.handlers = [handler]
    root.propagate = False
    root.setLevel(level.upper())
    return structlog.wrap_logger(
        root,
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
    ).bind(process=name)
