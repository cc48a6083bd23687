"""The data service's jobs in the model of the node side.

**Owns** epochs, compaction, manifests and garbage. **Does not own** reports and invariants
(`store`).
"""

from model.nouns import LINE, Object, Segment, State, put


class Jobs:
    def assign(self, s: State):
        """The next epoch, and its watch, read after it; it arrives now or never."""
        newest = max(f.epoch for f in s.flows)
        if not self.on("an epoch starts once") and len(s.flows) < self.epochs:
            again = self.fresh(s, newest)
            yield f"the watch of epoch {newest} starts again", s._replace(flows=(*s.flows, again))
        if not self.on("an epoch is written by compare-and-swap"):
            yield from self.assign_blindly(s)
            return
        if self.dropped(s) or s.epoch >= self.epochs:
            return
        if not self.on("the watch is read after its epoch is written"):
            if not s.plans:
                plan = ("watch", self.fresh(s, s.epoch + 1))
                yield "data service reads what a watch will say", s._replace(plans=(plan,))
            elif s.plans[0][1].epoch == s.epoch + 1:
                flows = (*s.flows, s.plans[0][1])
                after = s._replace(epoch=s.epoch + 1, flows=flows, plans=())
                yield "data service writes the epoch, watch", after
            return
        fresh = self.fresh(s, s.epoch + 1)
        yield (
            f"epoch {s.epoch + 1} is written, watch from {s.checkpoint}",
            s._replace(epoch=s.epoch + 1, flows=(*s.flows, fresh)),
        )

    def assign_blindly(self, s: State):
        for leader in (1, 2):
            if leader not in dict(s.plans) and s.epoch < self.epochs:
                plans = (*s.plans, (leader, s.epoch + 1))
                yield f"data service {leader} reads the epoch", s._replace(plans=plans)
        for plan in s.plans:
            flows = (*s.flows, self.fresh(s, plan[1]))
            rest = tuple(p for p in s.plans if p != plan)
            after = s._replace(epoch=plan[1], flows=flows, plans=rest)
            yield f"data service {plan[0]} writes epoch {plan[1]}, watch", after

    def compact(self, s: State):
        """A flushed segment becomes another with the same rows: its object, then the commit."""
        for g in s.segments:
            key = (g.name + "c", s.epoch, s.leader)
            if g.state == "flushed" and g.files and g.name in self.names:
                rows = tuple(p for o in s.objects if o.key in g.files for p in o.entries)
                new = s._replace(objects=s.objects | {Object(key, s.epoch, rows)})
                plan = ("compact", g.name, key)
                if plan not in s.plans and new != s:
                    yield f"{g.name} is rewritten", new._replace(plans=(*s.plans, plan))
        for plan in s.plans:
            if plan[0] == "compact":
                yield from self.compacted(s, *plan)

    def compacted(self, s: State, job, name, key):
        rest = s._replace(plans=tuple(p for p in s.plans if p != (job, name, key)))
        g = next((g for g in s.segments if g.name == name), None)
        same_epoch = key[1] == s.epoch or not self.on("compaction compares the epoch")
        flushed = bool(g) and g.state == "flushed"
        same_state = flushed or not self.on("compaction compares the segment")
        if g and same_epoch and same_state:
            number = "c" * sum(x.name.startswith(name) for x in s.segments)
            new = Segment(name + number, "flushed", g.upto, (key,))
            segments = (*put(s.segments, g, g._replace(state="dropped")), new)
            yield f"{name} becomes {new.name}", rest._replace(segments=segments)
        else:
            yield "compaction gives up", rest

    def forget(self, s: State):
        """The meta of a dropped segment goes, when its files have gone."""
        stored = {o.key for o in s.objects} if "collect" in self.jobs else ()
        for g in s.segments:
            passed = s.checkpoint >= g.upto
            passed = passed or not self.on("dropped meta stays until the checkpoint passed")
            if g.state == "dropped" and passed and not any(k in stored for k in g.files):
                rest = tuple(x for x in s.segments if x != g)
                yield f"the meta of {g.name} is forgotten", s._replace(segments=rest)

    def record_drop(self, s: State):
        """Only a mutant: segments become dropped when the DDL is recorded."""
        if not self.on("segments are dropped when the checkpoint passes the drop"):
            segments = tuple(g._replace(state="dropped") for g in s.segments)
            yield "the drop is recorded", s._replace(segments=segments)

    def revision(self, s: State) -> int:
        """It rises with every change of meta (segments are not forgotten where lists are made)."""
        return s.epoch + s.checkpoint + sum(g.upto + LINE.index(g.state) for g in s.segments)

    def used(self, s: State) -> frozenset:
        return frozenset(k for g in s.segments if g.state != "dropped" for k in g.files)

    def dropped_files(self, s: State) -> frozenset:
        if not self.on("files of dropped meta go whatever their epoch"):
            return frozenset()
        return frozenset(k for g in s.segments if g.state == "dropped" for k in g.files)

    def lists(self, s: State):
        """A leader reads at one revision, and stores the list under it, maybe much later."""
        mine = [p for p in s.plans if p[0] == s.leader]
        if not mine and (not s.list or s.list[0] < self.revision(s)):
            plan = (s.leader, self.revision(s), s.checkpoint, self.used(s))
            yield f"data service {s.leader} reads for a list", s._replace(plans=(*s.plans, plan))
        for plan in s.plans:
            if plan[0] in ("collector", "compact"):
                continue
            rest = tuple(p for p in s.plans if p != plan)
            revision, at, keys = plan[1:]
            if not self.on("a list is read at one revision") and at is not None:
                at = None
                if len(plan) == 4:
                    later = (plan[0], plan[1], None, plan[3])
                    yield "files first", s._replace(plans=put(s.plans, plan, later))
                    continue
            at = s.checkpoint if at is None else at
            higher = not s.list or s.list[0] < revision
            new = s.list
            if higher or not self.on("lists are named by revision, the highest counts"):
                new = (revision, at, keys)
            yield f"data service {plan[0]} stores list {revision}", s._replace(list=new, plans=rest)

    def collect(self, s: State):
        """The epoch first, the references second, then deletions one by one."""
        plan = next((p for p in s.plans if p[0] == "collector"), ())
        others = tuple(p for p in s.plans if p != plan)
        epoch = ("epoch", s.epoch)
        used = ("used", self.used(s), self.revision(s), self.dropped_files(s))
        reads = (epoch, used) if self.on("the collector reads the epoch first") else (used, epoch)
        if len(plan) < 3:
            plan = plan or ("collector",)
            read = reads[len(plan) - 1]
            yield f"collector reads: {read[0]}", s._replace(plans=(*others, (*plan, read)))
            return
        yield "collector ends its round", s._replace(plans=others)
        found = {read[0]: read[1:] for read in plan[1:]}
        used, revision, dropped = found["used"]
        for o in sorted(s.objects):
            old = o.epoch < found["epoch"][0] or not self.on("the collector spares the epoch")
            free = (old and o.key not in used) or o.key in dropped
            if free and self.unlisted(s, o.key, revision):
                yield f"collector deletes {o.key}", s._replace(objects=s.objects - {o})

    def unlisted(self, s: State, key, revision) -> bool:
        """A list that was read later does not name it."""
        if "lists" not in self.jobs or not self.on("a file goes when a list without it is stored"):
            return True
        later = s.list and s.list[0] >= revision
        if not self.on("that list was read after the file left meta"):
            later = s.list
        return bool(later) and key not in s.list[2]
