"""The processes in the model of the append side: candidates and sequencers.

**Owns** what a process may do, step by step. **Does not own** the log and the master service, whose
decisions it meets (`append`).
"""

from typing import NamedTuple

WINDOW = 3  # ids of requests are kept for so many timestamps


class Message(NamedTuple):
    kind: str
    term: int
    ts: int
    what: object = ""
    first: int = 0  # of a row: when its request was first sent


class Sequencer(NamedTuple):
    """What one process has in memory."""

    phase: str = "idle"  # -> candidate -> starting -> standing -> open -> idle
    term: int = 0
    known: int = 0  # id of the last message that it knows to stand
    sent: tuple = ()  # appends without an outcome: ((id, message), ...)
    todo: bool = False  # a recorded DDL must be appended before anything else
    dropped: bool = False
    extra: object = None  # what a mutant keeps: an early read or grant, a term given by etcd


class State(NamedTuple):
    log: tuple = (Message("T", 0, 1, 1),)
    net: frozenset = frozenset()  # (id, message): every append ever sent that may still be taken
    processes: tuple = ()
    wanted: int = 1
    assignments: int = 0  # changes of the assignment so far
    crashes: int = 0
    ddl: str = "none"  # -> recorded -> stands -> noted: what etcd (stands: the leader) knows
    drop: int = 0  # the id of the drop that the leader was told of, and notes
    clock: int = 1  # the last timestamp granted
    first: tuple = ()  # by row: when it was first sent, 0 = not yet
    answers: frozenset = frozenset()  # (row, id of its message | "refused" | "unknown")


IDLE = Sequencer()
LOOSE = ("an append names the last id", "TermStart names the last id")


def show(m: Message) -> str:
    return {"T": f"TermStart({m.what})", "R": f"row {m.what}", "D": "drop"}[m.kind] + f"@{m.ts}"


class Sequencers:
    def process(self, s: State, me: int, q: Sequencer):
        if q.phase != "idle" and s.crashes < self.crashes:
            yield "crashes and is new", IDLE, {"crashes": s.crashes + 1}
        if q.phase == "open" and s.wanted != me:
            yield "is asked to stop", IDLE, {}
        yield from getattr(self, q.phase)(s, me, q)
        if q.sent:
            yield from self.outcome(s, me, q)

    def idle(self, s, me, q):
        again = self.on("who was replaced and is wanted starts again") or not self.replaced(s, me)
        if s.wanted == me and again:
            extra = s.assignments if not self.on("a term is the id of its TermStart") else q.extra
            yield "reads that it is wanted", q._replace(phase="candidate", extra=extra), {}

    def replaced(self, s, me) -> bool:
        return any(m.kind == "T" and m.what == me for m in s.log[1:])

    def candidate(self, s, me, q):
        early = ("etcd is read after TermStart", "etcd is read linearizably")
        if not all(map(self.on, early)) and q.extra is None:
            yield "reads etcd early", q._replace(extra=(s.wanted, s.ddl)), {}
            if not self.on(early[0]):
                return
        if not self.on("grants asked for after TermStart") and q.extra is None:
            yield "asks for a grant early", q._replace(extra=s.clock + 1), {"clock": s.clock + 1}
        place, ts = len(s.log), s.log[-1].ts + 1
        term = q.extra if not self.on("a term is the id of its TermStart") else place
        m = Message("T", term, ts, me)
        starting = q._replace(phase="starting", term=term, sent=((place, m),))
        yield "sends TermStart", starting, {"net": s.net | {(place, m)}}

    def starting(self, s, me, q):
        """It waits for the outcome."""
        return ()

    def standing(self, s, me, q):
        wanted, ddl = s.wanted, s.ddl
        if isinstance(q.extra, tuple):
            wanted, ddl, q = *q.extra, q._replace(extra=None)
        if wanted != me:
            yield "reads that another is wanted, hands over", IDLE, {}
            return
        dropped = ddl == "noted"
        if dropped and s.drop > q.known and self.on("a DDL noted above its TermStart: replaced"):
            yield "reads of a DDL behind its TermStart: was replaced", IDLE, {}
            return
        todo = ddl in ("recorded", "stands") and self.on("what is recorded is appended first")
        yield "reads etcd and the window", q._replace(phase="open", todo=todo, dropped=dropped), {}

    def open(self, s, me, q):
        if self.away and not q.extra and s.clock < WINDOW:
            yield "keeps a grant for later", q._replace(extra=s.clock + 1), {"clock": s.clock + 1}
        drop = [p for p, m in enumerate(s.log[: q.known + 1]) if m.kind == "D" and m.term == q.term]
        if drop and s.ddl == "recorded":
            yield "tells: the drop stands", q, {"ddl": "stands", "drop": drop[-1]}
        free = len(q.sent) < (1 if self.on("one append in flight") else 2)
        held = isinstance(q.extra, int) and q.extra > s.log[q.known].ts
        granted = free and (s.wanted == me or held)
        asked = s.ddl in ("recorded", "stands") and not q.dropped
        if granted and (q.todo or asked):
            early = not self.on("a refusal waits until the DDL stands")
            yield "appends the drop", *self.append(s, q._replace(dropped=early), "D", "")
        if not q.todo:
            for n, row in enumerate(self.rows):
                if row not in {r for r, _ in s.answers} and (s.first[n - 1] or not n or s.answers):
                    yield from self.serve(s, q, n, row, granted)

    # ---- requests ------------------------------------------------------------------------------

    def serve(self, s, q, n, row, granted):
        """A row arrives: a first result, a refusal, "unknown", or an append."""
        floor = s.log[q.known].ts - WINDOW
        stands = self.window(s, q, floor).get(row)
        flying = [p for p, m in q.sent if m.what == row]
        first = s.first[n] or s.clock
        changes = {"first": (*s.first[:n], first, *s.first[n + 1 :])}

        def answer(result):
            done = {"first": (*s.first[:n], 0, *s.first[n + 1 :])}
            return f"answers {row}: {result}", q, done | {"answers": s.answers | {(row, result)}}

        if q.dropped and not self.on("ids are looked up before versions"):
            yield answer("refused")
        elif stands is not None:
            yield answer(stands)
        elif flying:
            if not self.on("a repeat waits for the first"):
                yield answer(flying[0])
        elif first <= floor and self.on("below the window's floor: unknown"):
            yield answer("unknown")
        elif q.dropped and self.on("rows of another version are refused"):
            yield answer("refused")
        elif granted:
            if self.on("acknowledged when it stands"):
                yield f"appends {row}", *self.append(s, q, "R", row, changes)
            else:
                changes["answers"] = s.answers | {(row, q.known + 1)}
                yield f"appends {row}, answers", *self.append(s, q, "R", row, changes)

    def window(self, s, q, floor) -> dict:
        """The requests that the process knows to stand: row -> id."""
        since = 0 if self.on("a new sequencer reads the window") else q.term
        by_first = self.on("an id is forgotten by when it was first sent")
        stand = [(p, m) for p, m in enumerate(s.log[: q.known + 1]) if m.kind == "R" and p >= since]
        return {m.what: p for p, m in stand if (m.first if by_first else m.ts) > floor}

    def append(self, s, q, kind, what, changes=None):
        """One group: a grant, a timestamp, the id after the last message that it knows."""
        place = q.sent[-1][0] + 1 if q.sent else q.known + 1
        if self.without in ("an append names the last id", "absence is no outcome"):
            place = len(s.log)
        last = max([s.log[q.known].ts, *(m.ts for _, m in q.sent)])
        ts = s.clock + 1
        if isinstance(q.extra, int) and q.extra > last:
            ts, q = q.extra, q._replace(extra=None)
        elif ts <= last and self.on("grants below the log are thrown away"):
            ts = last + 1
        first = changes["first"][self.rows.index(what)] if changes else 0
        m = Message(kind, q.term, ts, what, first)
        clock = max(s.clock, ts)
        sent = q._replace(sent=(*q.sent, (place, m)))
        return sent, {"net": s.net | {(place, m)}, "clock": clock, **(changes or {})}

    # ---- outcomes ------------------------------------------------------------------------------

    def outcome(self, s, me, q):
        (place, m), rest = q.sent[0], q.sent[1:]
        if self.without in LOOSE and m in s.log:
            place = s.log.index(m)
        if place >= len(s.log):
            yield from self.nothing_stands(s, q, place, m)
        elif s.log[place] == m or (
            self.without == "repeated byte for byte"
            and s.log[place].term == q.term
            and m.kind == "R"
        ):
            done = q._replace(known=place, sent=rest)
            if m.kind == "D":
                done = done._replace(todo=False, dropped=True)
            if m.kind == "T":
                done = done._replace(phase="standing")
                if self.on("a term is the id of its TermStart"):
                    done = done._replace(term=place)
            yield f"finds its {show(m)}", done, {}
            if m.kind == "R" and self.without == "repeated byte for byte":
                yield f"answers {m.what}", done, {"answers": s.answers | {(m.what, place)}}
        else:
            yield "finds that it was replaced", IDLE, {}

    def nothing_stands(self, s, q, place, m):
        """Absence is no outcome: only the mutants do something here."""
        if m.kind == "R" and not self.on("absence is no outcome"):
            yield f"gives {m.what} up", q._replace(sent=()), {}
        if m.kind == "R" and not self.on("repeated byte for byte"):
            for row in sorted(set(self.rows) - {m.what} - set(self.window(s, q, 0))):
                again = (place, m._replace(what=row))
                after = q._replace(sent=(again,))
                yield f"sends {row} for {m.what}", after, {"net": s.net | {again}}
