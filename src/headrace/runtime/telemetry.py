"""Logs and metrics of one process, handed to whoever needs them.

**Owns** the two handles. **Does not own** where logs go and how metrics are served (`app`). Log
events are short sentences with key-value pairs; each happening is logged once, where it is handled.
"""

from typing import Any, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Logger(Protocol):
    """What structlog's bound loggers offer."""

    def debug(self, event: str, **values: Any) -> Any:
        """For developers."""
        ...

    def info(self, event: str, **values: Any) -> Any:
        """What an operator may want to know."""
        ...

    def warning(self, event: str, **values: Any) -> Any:
        """Trouble that heals by itself."""
        ...

    def error(self, event: str, **values: Any) -> Any:
        """Trouble that needs a person."""
        ...

    def bind(self, **values: Any) -> "Logger":
        """A logger that adds these pairs to every event."""
        ...


class Silent:
    """A logger that says nothing (unit tests)."""

    def debug(self, event: str, **values: Any) -> None:
        """See `Logger`."""

    def info(self, event: str, **values: Any) -> None:
        """See `Logger`."""

    def warning(self, event: str, **values: Any) -> None:
        """See `Logger`."""

    def error(self, event: str, **values: Any) -> None:
        """See `Logger`."""

    def bind(self, **values: Any) -> "Silent":
        """See `Logger`."""
        return self


class Telemetry:
    """A logger and a registry of metrics; metrics of one name are made once."""

    def __init__(self, log: Logger, registry: CollectorRegistry | None = None) -> None:
        self.log = log
        self.registry = registry or CollectorRegistry()
        self._metrics: dict[str, Any] = {}

    def counter(self, name: str, help_text: str, labels: tuple[str, ...] = ()) -> Counter:
        """`headrace_{name}` as a counter; the name ends in its unit."""
        metric: Counter = self._metric(Counter, name, help_text, labels)
        return metric

    def gauge(self, name: str, help_text: str, labels: tuple[str, ...] = ()) -> Gauge:
        """`headrace_{name}` as a gauge."""
        metric: Gauge = self._metric(Gauge, name, help_text, labels)
        return metric

    def histogram(self, name: str, help_text: str, labels: tuple[str, ...] = ()) -> Histogram:
        """`headrace_{name}` as a histogram."""
        metric: Histogram = self._metric(Histogram, name, help_text, labels)
        return metric

    def _metric(self, kind: Any, name: str, help_text: str, labels: tuple[str, ...]) -> Any:
        if name not in self._metrics:
            self._metrics[name] = kind(
                f"headrace_{name}", help_text, labels, registry=self.registry
            )
        return self._metrics[name]


def silent() -> Telemetry:
    """Telemetry that goes nowhere."""
    return Telemetry(Silent())
