"""The append side: one pchannel, its log, the processes that may be its sequencer, requests, a DDL.

The log decides. A message is taken if it names the id that is next, so only messages that were ever
sent under that id count (`net`): each may arrive later, any number of times, or never; every answer
may be lost. A process that freezes takes its steps later, one that crashes forgets everything. A
process learns an outcome only from the message that stands at the id that it named.

The master service writes assignments, records one DDL (the drop of the only collection, so that
"read anew" ends as a refusal) and notes it, and grants timestamps. Asking for a grant and sending
what uses it are one step: what may come between, may also come between the sending and the taking.
Clients repeat a request until they have an answer, through any process, under the same id.

A message is (kind, term, timestamp, what): T = TermStart(process), R = a row, D = the drop. The log
begins with TermStart(1). Ids are places in the log. Rows are requests of one part.

`without` names one rule that is switched off.

**Owns** the log, the master service and the invariants of this side. **Does not own** what a
process does (`sequencer`), nor the search (`checker`).
"""

import sys

from model.checker import main
from model.sequencer import IDLE, LOOSE, WINDOW, Sequencer, Sequencers, State, show


class Pchannel(Sequencers):
    def __init__(self, without="", processes=2, rows="ab", assignments=2, crashes=0, away=False):
        self.without, self.rows, self.count = without, rows, processes
        self.assignments, self.crashes, self.away = assignments, crashes, away
        self.longest = 16  # only mutants come so far

    def on(self, rule: str) -> bool:
        assert rule in RULES, rule
        return rule != self.without

    def start(self) -> State:
        idle = [IDLE] * (self.count - 1)
        return State(processes=(Sequencer("open"), *idle), first=(0,) * len(self.rows))

    # ---- what may happen ---------------------------------------------------------------------

    def steps(self, s: State):
        yield from self.log_takes(s)
        yield from self.master(s)
        for number, q in enumerate(s.processes, 1):
            for label, after, changes in self.process(s, number, q):
                processes = (*s.processes[: number - 1], after, *s.processes[number:])
                yield f"process {number} {label}", s._replace(processes=processes, **changes)

    def log_takes(self, s: State):
        end = len(s.log)
        for place, m in sorted(s.net):
            rule = "TermStart names the last id" if m.kind == "T" else "an append names the last id"
            if place == end or (place < end and not self.on(rule)):
                keep = self.without in LOOSE  # else what named a lower id can never be taken
                net = frozenset(x for x in s.net if (x != (place, m) if keep else x[0] > place))
                if end < self.longest:
                    yield f"log takes {show(m)} as {end}", s._replace(log=(*s.log, m), net=net)

    def master(self, s: State):
        if s.assignments < self.assignments:
            wanted = s.wanted % self.count + 1
            yield f"master wants {wanted}", s._replace(wanted=wanted, assignments=s.assignments + 1)
        sent = any(m.kind == "D" for m in s.log) or any(m.kind == "D" for _, m in s.net)
        if s.ddl == "none":
            yield "master records the drop", s._replace(ddl="recorded")
        may_note = s.ddl == "stands" or (sent and not self.on("a DDL is noted when it stands"))
        if s.ddl not in ("none", "noted") and may_note:
            yield "master notes the drop", s._replace(ddl="noted")
        if self.away and s.clock <= WINDOW:
            yield "master grants to others", s._replace(clock=s.clock + WINDOW)

    # ---- invariants ------------------------------------------------------------------------------

    def sq_1(self, s):
        """SQ-1 after a TermStart no message of an earlier term stands."""
        term = 0
        for place, m in enumerate(s.log):
            if m.kind == "T":
                if m.term < term:
                    return False
                term = m.term if not self.on("a term is the id of its TermStart") else place
            elif m.term != term:
                return False
        return True

    def tt_1(self, s):
        """TT-1 timestamps rise strictly with message ids."""
        return all(a.ts < b.ts for a, b in zip(s.log, s.log[1:], strict=False))

    def tt_2(self, s):
        """TT-2 a row's timestamp is above all that were granted before it was first sent."""
        return self.away or all(m.ts > m.first for m in s.log if m.kind == "R")

    def rq_1(self, s):
        """RQ-1 a row stands at most once, and its repeats get its result."""
        stand = {m.what: p for p, m in enumerate(s.log) if m.kind == "R"}
        once = len(stand) == sum(m.kind == "R" for m in s.log)
        return once and not any(r in stand and answer == "refused" for r, answer in s.answers)

    def dl_1(self, s):
        """DL-1 an acknowledged row stands where its answer says, and not behind the drop."""
        drop = next((p for p, m in enumerate(s.log) if m.kind == "D"), len(s.log))
        rows = {(m.what, p) for p, m in enumerate(s.log[:drop]) if m.kind == "R"}
        return all((r, p) in rows for r, p in s.answers if isinstance(p, int))

    def dd_1(self, s):
        """DD-1 a DDL that is noted stands, and no row stands behind it."""
        return s.ddl != "noted" or any(m.kind == "D" for m in s.log)

    always = (sq_1, tt_1, tt_2, rq_1, dl_1, dd_1)
    each_step = ()

    def goal(self, s) -> bool:
        """Every request is answered and the DDL is noted."""
        return len({r for r, _ in s.answers}) == len(self.rows) and s.ddl == "noted"


RULES = (
    "an append names the last id",
    "TermStart names the last id",
    "a term is the id of its TermStart",
    "one append in flight",
    "repeated byte for byte",
    "absence is no outcome",
    "acknowledged when it stands",
    "etcd is read after TermStart",
    "etcd is read linearizably",
    "who was replaced and is wanted starts again",
    "grants asked for after TermStart",
    "grants below the log are thrown away",
    "a new sequencer reads the window",
    "a repeat waits for the first",
    "below the window's floor: unknown",
    "an id is forgotten by when it was first sent",
    "ids are looked up before versions",
    "what is recorded is appended first",
    "a DDL noted above its TermStart: replaced",
    "rows of another version are refused",
    "a refusal waits until the DDL stands",
    "a DDL is noted when it stands",
)
SCENES = {
    "2 assignments, 2 rows": {},
    "3 assignments, 1 row": {"assignments": 3, "rows": "a"},
    "3 assignments, 2 rows": {"assignments": 3},
    "3 processes, 2 assignments, 2 rows": {"processes": 3},
    "2 assignments, 1 crash, 2 rows": {"crashes": 1},
    "master away, 1 assignment, 1 row": {"assignments": 1, "rows": "a", "away": True},
    "master away, 1 assignment, 2 rows": {"assignments": 1, "away": True},
    "master away, 2 assignments, 1 row": {"rows": "a", "away": True},
}
SCENE_OF = {
    "etcd is read after TermStart": "3 assignments, 1 row",
    "etcd is read linearizably": "3 assignments, 1 row",
    "a DDL noted above its TermStart: replaced": "3 assignments, 1 row",
    "an id is forgotten by when it was first sent": "master away, 1 assignment, 1 row",
}
BASELINES = {name: lambda scene=scene: Pchannel(**scene) for name, scene in SCENES.items()}
MUTANTS = {
    rule: lambda rule=rule: Pchannel(rule, **SCENES[SCENE_OF.get(rule, "2 assignments, 2 rows")])
    for rule in RULES
}

if __name__ == "__main__":
    sys.exit(main(BASELINES, MUTANTS))
