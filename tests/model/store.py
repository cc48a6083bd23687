"""The node side: one vchannel from its log to segments, files, lists and garbage.

Modelled: a log that is already written, in order; flowgraphs, one for each watch that was ever
accepted; reports (SaveBinlogPaths) with delayed copies and lost answers; two data services, of
which the second is elected while the first may be frozen; the collector in separate reads and
deletions; compaction of a flushed segment; manifests.

A crash is a flowgraph that takes no more steps, a freeze one that takes them later (`Flow`s of
older epochs never go away). A position p is "all entries below number p": ids and timestamps rise
together, so one number stands for both. Objects and lists are never found half written.

Abstracted: there is no clock, so grace is a condition (a list without the file is stored) and not a
time; the log is always truncated as far as it may be; sync is cut, encode and put in one step, as
nobody reads an object before its report; a report is of one segment, the deletes, or the channel
checkpoint alone. No transaction compares a leader key: each compares what it read, and a frozen
leader may try what it likes. Of the copies of old reports only the latest is kept.

`without` names one rule that is switched off.

**Owns** meta, reports, recovery and the invariants of this side. **Does not own** what a flowgraph
does (`flowgraph`), the data service's jobs (`jobs`), nor the search (`checker`).
"""

import sys
from collections import Counter

from model.checker import main
from model.flowgraph import Flowgraphs
from model.jobs import Jobs
from model.nouns import DELTA, LINE, Entry, Flow, Report, Segment, State, put


class Store(Flowgraphs, Jobs):
    def __init__(self, log, without="", epochs=2, leaders=1, queue=1, jobs=()):
        self.log = [Entry(*e.split()) for e in log.split(", ")]
        self.without, self.epochs, self.leaders = without, epochs, leaders
        self.queue, self.jobs = queue, jobs  # jobs: collect, compact, list
        self.names = sorted({e.segment for e in self.log if e.kind in ("row", "upsert")})
        self.parts = [p for n, e in enumerate(self.log) for p in self.parts_of(n, e)]
        self.drop = next((n for n, e in enumerate(self.log) if e.kind == "drop"), None)

    def on(self, rule: str) -> bool:
        assert rule in RULES, rule
        return rule != self.without

    def parts_of(self, number, entry) -> list:
        """Where an entry is stored: [(number, segment or DELTA), ...]."""
        parts = [(number, entry.segment)] if entry.kind in ("row", "upsert") else []
        return parts + ([(number, DELTA)] if entry.kind in ("delete", "upsert") else [])

    def start(self) -> State:
        segments = tuple(Segment(n) for n in [*self.names, DELTA])
        s = State(segments=segments)
        return s._replace(flows=(self.fresh(s, 1),))

    def fresh(self, s: State, epoch: int) -> Flow:
        return Flow(epoch, self.told(s), s.checkpoint, s.checkpoint)

    def told(self, s: State) -> tuple:
        """The watch list."""

        def listed(g):
            above = g.upto > s.checkpoint
            if not self.on("the watch names flushed segments above the seek position"):
                return g.state == "growing"
            if not self.on("the watch names every growing segment"):
                return above
            return above or g.state == "growing"

        return tuple((g.name, g.upto) for g in s.segments if listed(g))

    # ---- what may happen ---------------------------------------------------------------------

    def steps(self, s: State):
        for n, flow in enumerate(s.flows):
            who = f"flow {n + 1} (epoch {flow.epoch})"
            for label, after, changes in self.flow(s, flow):
                yield f"{who} {label}", s._replace(flows=put(s.flows, flow, after), **changes)
            for report in dict.fromkeys((*flow.queue[:1], flow.copy)):
                if report:
                    yield from self.take(s, flow, report, who)
        yield from self.commit_blindly(s)
        yield from self.assign(s)
        if s.leader < self.leaders:
            yield "another data service is elected", s._replace(leader=s.leader + 1)
        for job in self.jobs:
            yield from getattr(self, job)(s)

    # ---- the data service --------------------------------------------------------------------

    def present(self, s: State, r: Report) -> tuple:
        return next((g.upto for g in s.segments if g.name == r.segment), 0), s.checkpoint

    def gone(self, s: State) -> set:
        return {g.name for g in s.segments if g.state == "dropped"}

    def take(self, s: State, flow: Flow, r: Report, who: str):
        """SaveBinlogPaths: one transaction, or a refusal that changes nothing."""
        if r.epoch != s.epoch and self.on("reports compare the epoch"):
            return
        extends = self.present(s, r) == (r.extends, r.channel[0])
        if not extends and self.on("reports compare what they extend"):
            return
        if r.segment in self.gone(s):
            return
        name = f"report of {r.segment or 'the checkpoint'} {r.channel[0]}->{r.channel[1]} of {who}"
        if not (s.plans or self.on("a report is one transaction with its reads")):
            yield f"data service {s.leader} reads {name}", s._replace(plans=((s.leader, r),))
        if r.key and not self.on("files and checkpoint in one transaction"):
            half = r._replace(upto=r.extends, channel=(r.channel[0],) * 2, flush=False)
            if not any(r.key in g.files for g in s.segments):
                yield f"half of {name} is committed", self.apply(s, half)
                return
            r = r._replace(key=())
        after = self.apply(s, r)
        yield f"{name} is committed", after
        if not self.on("present = new is done") and r == flow.queue[0]:
            done = flow._replace(queue=flow.queue[1:], copy=r)
            yield f"{name} is answered at once", after._replace(flows=put(s.flows, flow, done))

    def commit_blindly(self, s: State):
        for plan in s.plans:
            if not self.on("a report is one transaction with its reads"):
                rest = tuple(p for p in s.plans if p != plan)
                after = self.apply(s, plan[1])._replace(plans=rest)
                yield f"data service {plan[0]} commits what it read", after

    def apply(self, s: State, r: Report) -> State:
        checkpoint, segments, epoch = r.channel[1], s.segments, s.epoch
        for g in segments:
            if g.name == r.segment:
                files = (*g.files, r.key) if r.key else g.files
                state = "flushed" if r.flush else g.state
                segments = put(segments, g, g._replace(upto=r.upto, files=files, state=state))
        if self.drop is not None and s.checkpoint <= self.drop < checkpoint:
            segments = tuple(g._replace(state="dropped") for g in segments)
            epoch += self.on("a drop ends the epoch")
        return s._replace(checkpoint=checkpoint, segments=segments, epoch=epoch)

    def dropped(self, s: State) -> bool:
        return self.drop is not None and s.checkpoint > self.drop

    # ---- what recovery finds -------------------------------------------------------------------

    def files(self, s: State, keys) -> Counter:
        """The parts of entries in these objects; a key that is named twice counts twice."""
        entries = {o.key: o.entries for o in s.objects}
        return Counter(p for k in keys for p in entries.get(k, ()))

    def named(self, s: State) -> Counter:
        return self.files(s, [k for g in s.segments if g.state != "dropped" for k in g.files])

    def recovered(self, s: State) -> Counter:
        """What meta names, and what a fresh flowgraph would add from the truncated log."""
        since = max([s.checkpoint, *(f.position for f in s.flows)])
        if self.on("truncate stays below the checkpoint"):
            since = s.checkpoint
        known = dict(self.told(s))
        replayed = [p for p in self.parts if p[0] >= since and self.is_new(known, p)]
        return self.named(s) + Counter(replayed)

    # ---- invariants ------------------------------------------------------------------------------

    def ch_1(self, before, label, after):
        """CH-1 only the present epoch of the vchannel commits."""
        return not label.endswith("committed") or f"(epoch {before.epoch})" in label

    def cp_1(self, before, label, after):
        """CP-1 a channel checkpoint never moves back."""
        return after.checkpoint >= before.checkpoint

    def cp_2(self, s):
        """CP-2 the checkpoint never passes what is not wholly stored and reported."""
        named, state = self.named(s), {g.name: g.state for g in s.segments}
        seals = [e.segment for e in self.log[: s.checkpoint] if e.kind == "seal"]
        return self.dropped(s) or (
            all(named[p] for p in self.parts if p[0] < s.checkpoint)
            and all(state.get(g, "dropped") != "growing" for g in seals)
        )

    def sg_1(self, before, label, after):
        """SG-1 states move only along the line, and a flushed segment gains nothing."""
        now = {g.name: g for g in after.segments}
        for g in before.segments:
            new = now.get(g.name, g)
            if LINE.index(new.state) < LINE.index(g.state):
                return False
            if g.state != "growing" and new.files != g.files:
                return False
        return True

    def sg_2(self, s):
        """SG-2 a flushed segment has the rows of its files, all that the log gave it, once."""
        for g in s.segments:
            ours = Counter(p for p in self.parts if p[1] == g.name.rstrip("c"))
            if g.state == "flushed" and self.files(s, g.files) != ours:
                return False
        return True

    def dl_1(self, s):
        """DL-1 every row is in exactly one segment after recovery, and no row twice."""
        found = self.recovered(s)
        return self.dropped(s) or all(found[p] == 1 for p in self.parts if p[1] != DELTA)

    def dl_2(self, s):
        """DL-2 a delete hides every earlier row with its key and no later one."""
        if self.dropped(s):
            return True
        found, log = self.recovered(s), self.log
        strictly = self.on("a delete hides strictly older rows")
        deletes = [n for n, g in self.parts if g == DELTA]
        for row in [n for n, g in self.parts if g != DELTA]:
            mine = [n for n in deletes if log[n].key == log[row].key]
            hides = [n for n in mine if found[n, DELTA] and (row < n if strictly else row <= n)]
            if bool(hides) != any(row < n for n in mine):
                return False
        return True

    def ob_1(self, s):
        """OB-1 meta and the highest list never name a missing object."""
        stored = {o.key for o in s.objects}
        listed = s.list[2] if s.list else ()
        return self.used(s) <= stored and all(k in stored for k in listed)

    def sn_1(self, s):
        """SN-1 a snapshot at T holds exactly what stands at or below T."""
        if not s.list:
            return True
        _, at, keys = s.list
        found = self.files(s, keys)
        gone = self.drop is not None and self.drop < at
        return gone or all(found[p] == 1 for p in self.parts if p[0] < at)

    def used_never(self, s: State) -> set:
        return {k for g in s.segments if g.state == "dropped" for k in g.files}

    always = (cp_2, sg_2, dl_1, dl_2, ob_1, sn_1)
    each_step = (ch_1, cp_1, sg_1)

    def goal(self, s) -> bool:
        """All is stored, what is sealed is flushed, a dropped vchannel has left no object."""
        state = {g.name: g.state for g in s.segments}
        sealed = {e.segment for e in self.log if e.kind == "seal"}
        kept = [o for o in s.objects if self.drop is not None or o.key in self.used_never(s)]
        clean = "collect" not in self.jobs or not kept
        flushed = all(state.get(g, "dropped") != "growing" for g in sealed)
        return s.checkpoint == len(self.log) and flushed and clean


RULES = {  # rule: the scene in which it is left out
    "reports compare the epoch": "rows",
    "reports compare what they extend": "rows",
    "present = new is done": "rows",
    "a report is one transaction with its reads": "rows",
    "files and checkpoint in one transaction": "rows",
    "objects are stored before they are reported": "rows",
    "keys name the epoch": "rows",
    "keys name a number": "rows",
    "rows at or below the segment's checkpoint are dropped": "rows",
    "the checkpoint waits for rows": "rows",
    "the checkpoint waits for deletes": "deletes",
    "the checkpoint waits for a Seal's flush": "flush",
    "a flush waits for the Seal": "flush",
    "an epoch starts once": "rows",
    "an epoch is written by compare-and-swap": "rows",
    "the watch is read after its epoch is written": "rows",
    "the watch names flushed segments above the seek position": "flush",
    "the watch names every growing segment": "rows",
    "dropped meta stays until the checkpoint passed": "compaction",
    "compaction compares the segment": "compaction",
    "compaction compares the epoch": "compaction, garbage",
    "files of dropped meta go whatever their epoch": "compaction, garbage",
    "truncate stays below the checkpoint": "rows",
    "a delete hides strictly older rows": "upsert",
    "the collector reads the epoch first": "garbage",
    "the collector spares the epoch": "garbage",
    "a file goes when a list without it is stored": "lists",
    "that list was read after the file left meta": "lists",
    "a list is read at one revision": "lists",
    "lists are named by revision, the highest counts": "lists",
    "segments are dropped when the checkpoint passes the drop": "drop, lists",
    "a drop ends the epoch": "drop",
}
SCENES = {
    "rows": {"log": "row S1 a, row S2 b, row S1 c"},
    "rows, 3 epochs": {"log": "row S1 a, row S2 b, row S1 c", "epochs": 3},
    "rows, 2 reports in a queue": {"log": "row S1 a, row S2 b, row S1 c", "queue": 2},
    "deletes": {"log": "row S1 k, upsert S1 k, delete - k"},
    "upsert": {"log": "row S1 k, delete - k, upsert S1 k"},
    "deletes, 3 epochs": {"log": "row S1 k, delete - k", "epochs": 3},
    "flush, 3 epochs": {"log": "row S2 b, row S1 a, seal S1", "epochs": 3},
    "flush": {"log": "row S2 b, row S1 a, row S1 c, seal S1"},
    "compaction": {
        "log": "row S2 b, row S1 a, seal S1", "leaders": 2, "jobs": ("compact", "forget")
    },
    "garbage": {"log": "row S1 a, row S1 b", "jobs": ("collect",)},
    "compaction, garbage": {
        "log": "row S1 a, seal S1", "jobs": ("compact", "forget", "collect")
    },
    "lists": {
        "log": "row S1 a, seal S1", "epochs": 1, "leaders": 2,
        "jobs": ("compact", "lists", "collect"),
    },
    "lists, 2 epochs": {"log": "row S1 a, seal S1", "jobs": ("compact", "lists", "collect")},
    "drop": {"log": "row S1 a, row S2 b, drop", "queue": 2, "jobs": ("record_drop", "collect")},
    "drop, lists": {"log": "row S1 a, drop", "jobs": ("record_drop", "lists", "collect")},
}  # fmt: skip
BASELINES = {name: lambda scene=scene: Store(**scene) for name, scene in SCENES.items()}
MUTANTS = {
    rule: lambda rule=rule, scene=scene: Store(without=rule, **SCENES[scene])
    for rule, scene in RULES.items()
}

if __name__ == "__main__":
    sys.exit(main(BASELINES, MUTANTS))
