"""Sends reports to the leader of the data service: syncs, idle checkpoints, ended flowgraphs.

A request whose outcome is unknown becomes an event, and the machine orders the same request again.
A repeat waits first, but not for longer than until another process leads the data service.

Crash points: `datanode.report.between` before each further transaction of a large sync,
`datanode.report.stands` when a report is answered and the machine does not know it yet.
"""

from typing import Any

from headrace.datanode import events as ev
from headrace.datanode.effects import AskNewEpoch, SendMoves, SendReport
from headrace.datanode.settings import DataNodeSettings
from headrace.frame.surroundings import Surroundings
from headrace.meta.following import LeaderWatcher
from headrace.model.errors import Fenced, HeadraceError, Unavailable
from headrace.rpc.messages import SaveBinlogPathsResponse, SaveCheckpointsResponse
from headrace.runtime.race import pause
from headrace.runtime.retry import jittered

REPORT_BETWEEN = "datanode.report.between"
REPORT_STANDS = "datanode.report.stands"


class Sender:
    """Calls of one node to the data service."""

    def __init__(self, around: Surroundings[DataNodeSettings], data_service: LeaderWatcher) -> None:
        self._peers = around.peers
        self._data_service = data_service
        self._host = around.host
        self._crash = around.crash
        self._pauses = around.settings.pauses
        self._timeout_s = around.settings.report_timeout_s

    async def report(
        self, effect: SendReport
    ) -> ev.ReportAnswered | ev.ReportRefused | ev.ReportUnanswered:
        """SaveBinlogPaths."""
        request = effect.request
        where = request.vchannel, request.epoch
        if effect.part:
            self._crash.reach(REPORT_BETWEEN)
        try:
            response: SaveBinlogPathsResponse = await self._call(request, effect.attempt)
        except Unavailable as error:
            return ev.ReportUnanswered(*where, error.message)
        except HeadraceError as error:
            return ev.ReportRefused(*where, isinstance(error, Fenced), error.message)
        self._crash.reach(REPORT_STANDS)
        return ev.ReportAnswered(*where, response.outcome)

    async def moves(self, effect: SendMoves) -> ev.MovesAnswered | ev.MovesUnanswered:
        """SaveCheckpoints."""
        try:
            response: SaveCheckpointsResponse = await self._call(effect.request, effect.attempt)
        except HeadraceError as error:
            return ev.MovesUnanswered(error.message)
        return ev.MovesAnswered(response.left_out)

    async def new_epoch(self, effect: AskNewEpoch) -> ev.NewEpochAnswered | ev.NewEpochUnanswered:
        """NewEpoch: a flowgraph ended by itself."""
        request = effect.request
        try:
            await self._call(request, effect.attempt)
        except HeadraceError as error:
            return ev.NewEpochUnanswered(request.vchannel, request.epoch, error.message)
        return ev.NewEpochAnswered(request.vchannel, request.epoch)

    async def _call(self, request: Any, attempt: int) -> Any:
        if attempt:
            changes = self._data_service.changes
            wait_s = jittered(self._pauses.after(attempt), self._host)
            await pause(self._host.clock, wait_s, changes.after(changes.count))
        leader = self._data_service.leader
        if leader is None:
            raise Unavailable("no data service leads")
        return await self._peers.call(leader.address, request, timeout_s=self._timeout_s)
