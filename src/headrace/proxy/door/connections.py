"""Connect, GetVersion, CheckHealth and AllocTimestamp: what a client asks of the server itself.

Clients have no sessions here: every call stands for itself.
"""

from importlib.metadata import PackageNotFoundError, version

from headrace.meta.records import Role
from headrace.proxy.call import ClientCall
from headrace.proxy.cluster.known_time import KnownTime
from headrace.proxy.cluster.leaders import Leaders
from headrace.proxy.errors import success
from headrace.proxy.milvus import Message, pb
from headrace.runtime.host import Host


def server_version() -> str:
    """What clients are told: `headrace-` and the version of the package."""
    try:
        return f"headrace-{version('headrace')}"
    except PackageNotFoundError:
        return "headrace-source"


class Connections:
    """The methods that need no collection."""

    def __init__(self, leaders: Leaders, known: KnownTime, host: Host) -> None:
        self._leaders = leaders
        self._known = known
        self._host = host

    async def connect(self, request: Message, call: ClientCall) -> Message:
        """Milvus's Connect: the identifier comes back in a header and means nothing to us."""
        answer = pb.ConnectResponse(status=success())
        answer.identifier = int.from_bytes(self._host.token(7), "little")
        answer.server_info.build_tags = server_version()
        answer.server_info.deploy_mode = "STANDALONE"
        return answer

    async def get_version(self, request: Message, call: ClientCall) -> Message:
        """Milvus's GetVersion."""
        return pb.GetVersionResponse(status=success(), version=server_version())

    async def check_health(self, request: Message, call: ClientCall) -> Message:
        """Milvus's CheckHealth: healthy when both services have a leader."""
        missing = [
            f"the {role} has no leader"
            for role in (Role.MASTER_SERVICE, Role.DATA_SERVICE)
            if self._leaders.leader(role) is None
        ]
        return pb.CheckHealthResponse(status=success(), isHealthy=not missing, reasons=missing)

    async def alloc_timestamp(self, request: Message, call: ClientCall) -> Message:
        """Milvus's AllocTimestamp: above all that was granted before."""
        timestamp = await self._known.grant(call)
        return pb.AllocTimestampResponse(status=success(), timestamp=timestamp)
