"""Reports: one at a time a vchannel."""

from collections import deque

from headrace.dataservice.effects import Answer, CommitReport, Effect
from headrace.dataservice.events import ReportArrived
from headrace.model.channel import VChannel
from headrace.model.errors import Unavailable

_QUEUE_MOST = 16  # repeats of a report that is under way; its node sends one at a time


class Reports:
    """Who is being committed, and who waits behind it."""

    def __init__(self) -> None:
        self._waiting: dict[VChannel, deque[ReportArrived]] = {}  # a key = one is under way

    def arrived(self, event: ReportArrived) -> list[Effect]:
        """A report came: commit it, or let it wait for the one before."""
        waiting = self._waiting.get(event.report.vchannel)
        if waiting is None:
            self._waiting[event.report.vchannel] = deque()
            return [CommitReport(event.call, event.report)]
        if len(waiting) >= _QUEUE_MOST:
            busy = Unavailable(f"{len(waiting)} reports of {event.report.vchannel} wait already")
            return [Answer(event.call, busy)]
        waiting.append(event)
        return []

    def ended(self, vchannel: VChannel) -> list[Effect]:
        """The one under way was decided: the next one."""
        waiting = self._waiting[vchannel]
        if not waiting:
            del self._waiting[vchannel]
            return []
        following = waiting.popleft()
        return [CommitReport(following.call, following.report)]

    def under_way(self) -> int:
        return len(self._waiting)
