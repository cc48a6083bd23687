"""A log that looks at every message it takes: what the protocol promises must hold for it.

**Owns** the messages of one pchannel and the checks of SQ-1, TT-1, TT-2, RQ-1, SC-1, SG-1 and ID-1.
**Does not own** which appends arrive (`support.chaos.sequencer`).
"""

from headrace.model.entry import Ddl, Rows, Seal, TermStart
from headrace.model.group import Group, decode


class Violation(Exception):
    """An invariant does not hold."""


class CheckedLog:
    """One pchannel. `in_time`: the master service never was away, so TT-2 holds."""

    def __init__(self, *, in_time: bool) -> None:
        self._in_time = in_time
        self.messages: list[bytes] = []
        self.groups: list[Group] = []
        self.stands: dict[bytes, tuple[int, Rows]] = {}  # part id -> message id, entry

    def take(self, expected_last: int, data: bytes) -> bool:
        """Let a message in if it names the last id; raises `Violation`."""
        if expected_last != len(self.messages):
            return False
        self.messages.append(data)
        group = decode(data)
        self.groups.append(group)
        self._check(group)
        return True

    def check_ids(self) -> None:
        """No id was used twice."""
        taken = [e for _, e in self.stands.values()]
        ids = [i for e in taken for i in range(e.first_row_id, e.first_row_id + e.rows)]
        ids += [s.segment_id for e in taken for s in e.segments if s.opens]
        if len(ids) != len(set(ids)):
            raise Violation("ID-1 an id was used twice")

    def _check(self, group: Group) -> None:
        number = len(self.groups)
        before = self.groups[-2] if number > 1 else None
        stamps = [e.timestamp for e in group.entries]
        last = before.last_timestamp if before else 0
        if stamps != sorted(set(stamps)) or stamps[0] <= last:
            raise Violation(f"TT-1 at {number}")
        if not isinstance(group.entries[0], TermStart):
            assert before is not None
            term, after = before.term or number - 1, before.number + 1
            if (group.term, group.number) != (term, after):
                raise Violation(f"SQ-1 {group.term}.{group.number} stands behind {term}.{after}")
        for entry in group.entries:
            if isinstance(entry, Rows):
                self._check_rows(number, entry)

    def _check_rows(self, number: int, entry: Rows) -> None:
        if entry.part_id in self.stands:
            raise Violation(f"RQ-1 {entry.part_id!r} stands twice: at {number}")
        self.stands[entry.part_id] = (number, entry)
        if self._in_time and entry.timestamp <= entry.first_sent:
            raise Violation(f"TT-2 {entry.part_id!r} was first sent above its timestamp")
        version, opened, ended = self._before(entry)
        if version != entry.version:
            raise Violation(f"SC-1 rows of {entry.version} stand in {version}")
        for s in entry.segments:
            if s.segment_id in ended or s.opens == (s.segment_id in opened):
                raise Violation(f"SG-1 segment {s.segment_id} at {number}")

    def _before(self, entry: Rows) -> tuple[int, set[int], set[int]]:
        """The version of its vchannel, the segments opened there, and all that were ended."""
        version = 0
        opened: set[int] = set()
        ended: set[int] = set()
        for e in (e for group in self.groups for e in group.entries):
            if e is entry:
                break
            match e:
                case Ddl() if e.vchannel == entry.vchannel:
                    version = max(version, e.version)
                    ended |= opened
                case Seal():
                    ended.add(e.segment_id)
                case TermStart():
                    ended |= opened
                case Rows() if e.vchannel == entry.vchannel:
                    opened |= {s.segment_id for s in e.segments}
                case _:
                    pass
        return version, opened, ended
