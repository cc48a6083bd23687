"""The data node in the model of the node side.

**Owns** what a flowgraph may do: consume, sync, propose, repeat a report. **Does not own** what the
data service answers (`store`).
"""

from model.nouns import DELTA, Flow, Object, Report, State


class Flowgraphs:
    def flow(self, s: State, flow: Flow):
        if flow.phase == "ended":
            return
        if flow.position < len(self.log):
            yield self.consume(flow)
        if len(flow.queue) < self.queue:
            sealed = {segment for _, segment in flow.sealed}
            for segment in sorted({segment for _, segment in flow.buffer} | sealed):
                yield self.sync(s, flow, segment, segment in sealed)
                if not self.on("a flush waits for the Seal"):
                    yield self.sync(s, flow, segment, True)
        yield from self.propose(flow)
        if not self.on("objects are stored before they are reported"):
            for r in flow.queue:
                yield f"puts {r.key}", flow, {"objects": self.stored(s, r)}
        if flow.queue:
            yield from self.answer(s, flow, flow.queue[0])

    def consume(self, flow: Flow):
        number = flow.position
        entry, known = self.log[number], dict(flow.known)
        new = [p for p in self.parts_of(number, entry) if self.is_new(known, p)]
        sealed = flow.sealed
        if entry.kind == "seal" and known.get(entry.segment, 0) <= number:
            sealed = (*sealed, (number, entry.segment))
        buffer = (*flow.buffer, *new)
        after = flow._replace(position=number + 1, buffer=buffer, sealed=sealed)
        return f"reads {entry.kind} {entry.segment or entry.key}", after, {}

    def is_new(self, known, part) -> bool:
        covered = known.get(part[1], 0) > part[0]
        return not covered or not self.on("rows at or below the segment's checkpoint are dropped")

    def sync(self, s: State, flow: Flow, segment: str, flush: bool):
        """Cut, store, and queue the report; the last sync of a sealed segment is its flush."""
        mine = tuple(p for p in flow.buffer if p[1] == segment)
        rest = tuple(p for p in flow.buffer if p[1] != segment)
        sealed = tuple(p for p in flow.sealed if p[1] != segment)
        epoch = flow.epoch if self.on("keys name the epoch") else 0
        number = flow.number if self.on("keys name a number") else 1
        key = (segment, epoch, number) if mine else ()
        extends = dict(flow.known).get(segment, 0)
        new = self.checkpoint_of(flow, rest, sealed)
        known = tuple(sorted({**dict(flow.known), segment: flow.position}.items()))
        report = Report(flow.epoch, segment, extends, flow.position, key, flush,
                        (flow.checkpoint, new), mine)  # fmt: skip
        after = flow._replace(
            buffer=rest, sealed=sealed, known=known, checkpoint=new,
            queue=(*flow.queue, report), number=flow.number + 1,
        )  # fmt: skip
        changes = {}
        if self.on("objects are stored before they are reported"):
            changes = {"objects": self.stored(s, report)}
        return f"{'flushes' if flush else 'syncs'} {segment}", after, changes

    def checkpoint_of(self, flow, buffer, sealed) -> int:
        """Just below the first entry that is not wholly stored and reported."""
        if flow.position == len(self.log) and self.drop is not None:
            return flow.position
        waiting = []
        if self.on("the checkpoint waits for rows"):
            waiting += [n for n, g in buffer if g != DELTA]
        if self.on("the checkpoint waits for deletes"):
            waiting += [n for n, g in buffer if g == DELTA]
        if self.on("the checkpoint waits for a Seal's flush"):
            waiting += [n for n, _ in sealed]
        return min(waiting, default=flow.position)

    def propose(self, flow: Flow):
        """The channel checkpoint alone; past a drop, what was not yet reported is forgotten."""
        dropping = flow.position == len(self.log) and self.drop is not None
        head = flow.queue[:1]
        since = head[0].channel[1] if head else flow.checkpoint
        new = self.checkpoint_of(flow, flow.buffer, flow.sealed)
        if new > since and (dropping or not head):
            report = Report(flow.epoch, "", 0, 0, (), False, (since, new))
            after = flow._replace(checkpoint=new, queue=(*head, report))
            if dropping:
                after = after._replace(buffer=(), sealed=())
            yield f"proposes checkpoint {new}", after, {}

    def stored(self, s: State, r: Report) -> frozenset:
        """Put if absent."""
        if not r.key or r.key in {o.key for o in s.objects}:
            return s.objects
        return s.objects | {Object(r.key, r.epoch, r.entries)}

    def answer(self, s: State, flow: Flow, r: Report):
        """The report is repeated until it is answered: present = new is "done"."""
        done = self.present(s, r) == (r.upto, r.channel[1]) or r.segment in self.gone(s)
        if r.epoch == s.epoch and done:
            if self.on("present = new is done"):
                done = flow._replace(queue=flow.queue[1:], copy=r)
                yield f"learns that its report of {r.segment or 'the checkpoint'} is done", done, {}
            else:
                yield "repeats its report: Conflict, ends", flow._replace(phase="ended"), {}
