"""Keeps the versions of one vchannel's collection: which schema decodes which row.

A watch brings the version in force at the seek position and every later one that is recorded; DDL
entries in the vchannel bring those recorded since. A DDL may stand below the seek and not be noted
yet, so rows of a version that the watch brought are themselves proof that it is in force.
"""

from headrace.model import codec
from headrace.model.channel import VChannel
from headrace.model.entry import Ddl
from headrace.model.errors import Corrupt
from headrace.model.ids import Version
from headrace.model.schema import Schema
from headrace.rpc.messages import Watch


class SchemaVersions:
    """What one flowgraph knows of its collection's versions."""

    def __init__(self, watch: Watch) -> None:
        self._vchannel: VChannel = watch.vchannel
        self._schemas: dict[Version, Schema] = {s.version: s.schema for s in watch.schemas}
        self._texts: dict[Version, bytes] = {}  # of DDL entries, decoded when rows name them
        seek = watch.seek.timestamp
        passed = [s.version for s in watch.schemas if 0 < s.timestamp <= seek]
        first = min((s.version for s in watch.schemas), default=1)
        self.present: Version = max(passed, default=first - 1)

    def raised(self, ddl: Ddl) -> bool:
        """Take a DDL entry; whether it is news."""
        if ddl.version <= self.present:  # a no-op for every reader of the log
            return False
        if ddl.version not in self._schemas:
            if ddl.schema:
                self._texts[ddl.version] = ddl.schema
            elif self._knows(self.present):
                self._schemas[ddl.version] = self.schema(self.present)
        self.present = ddl.version
        return True

    def named(self, version: Version) -> None:
        """Rows name this version; `Corrupt` when it cannot be the one in force (SC-1)."""
        if version > self.present and self._knows(version):
            self.present = version
        if version != self.present:
            raise Corrupt(
                f"rows of version {version} where version {self.present} is in force",
                channel=self._vchannel,
            )

    def _knows(self, version: Version) -> bool:
        return version in self._schemas or version in self._texts

    def schema(self, version: Version) -> Schema:
        """The schema of a version; `Corrupt` when it is not known, or when it is none."""
        if version not in self._schemas:
            text = self._texts.get(version)
            if text is None:
                raise Corrupt(f"version {version} is not known", channel=self._vchannel)
            where = f"version {version} of {self._vchannel}"
            self._schemas[version] = codec.decode(text, Schema, where)
        return self._schemas[version]
