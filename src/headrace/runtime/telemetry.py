"""Logs, metrics and journals of one process. Where logs go and metrics are served is in `app`.

Log events are short sentences with key-value pairs; each happening is logged once, where it is
handled.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from headrace.runtime.journal.steps import KEPT_STEPS, KEPT_VALUES, Journal


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
    """A logger, a registry of metrics (those of one name are made once), and the journals of the
    machines of this process, by name: `kept_steps` of each, `kept_values` of an event."""

    def __init__(
        self,
        log: Logger,
        registry: CollectorRegistry | None = None,
        kept_steps: int = KEPT_STEPS,
        kept_values: int = KEPT_VALUES,
    ) -> None:
        self.log = log
        self.registry = registry or CollectorRegistry()
        self.journals: dict[str, Journal] = {}
        self._kept_steps, self._kept_values = kept_steps, kept_values
        self._metrics: dict[str, Any] = {}

    def journal(
        self, name: str, routine: Callable[[Any, Sequence[Any]], bool] | None = None
    ) -> Journal:
        """A journal for a new machine of that name; that of its predecessor is forgotten."""
        journal = self.journals[name] = Journal(self._kept_steps, routine, self._kept_values)
        return journal

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
