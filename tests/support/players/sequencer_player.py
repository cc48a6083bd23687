"""Plays `scenarios/sequencer/*.txt`: events of one pchannel's sequencer and what it orders.

Commands: `assignment ID` · `end LAST` (the end of the log is read) · `meta [noted VERSION AT]
[recorded VERSION KIND] [wanted ID]` · `window [NAME ...]` (ids that older terms left) · `open` (all
of that at once) · `append NAME [FIELD=VALUE ...]` · `ddl VERSION KIND` · `seal` · `grant` · `away`
· `withheld` · `taken` (the log takes the message on its way and says so) · `unanswered` · `looked
own|other|absent` · `wait SECONDS` · `stop` · `position`. Ids are leased by themselves; timestamps
are granted when a script says so. Times are shown as seconds since the script began, `+n` is the
logical part.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from headrace.model.entry import Ddl, DdlKind, Digest, Entry, Rows, Seal, TermStart, Tick
from headrace.model.group import decode
from headrace.model.timestamp import logical, physical_ms
from headrace.rpc.messages import AppendDdlResponse, AppendResponse, PositionResponse, SealResponse
from headrace.sequencer import effects as fx
from headrace.sequencer import events as ev
from support.players.sequencer import (
    START_MS,
    Script,
    at,
    collection,
    ddl,
    entries_of,
    item,
    noted,
    of,
    part,
    past,
    view,
)


class Player:
    """A machine, the message on its way, and the calls by their numbers."""

    def __init__(self) -> None:
        self.script = Script(grants=False)
        self.revision = 10
        self.record = collection()
        self.flying: fx.Append | None = None

    def play(self, command: str) -> list[str]:
        """What is ordered because of it, one line each."""
        name, *words = command.split()
        effects: list[fx.Effect] = getattr(self, f"_{name}")(*words)
        for append in of(fx.Append, effects):
            self.flying = append
        return [self._show(e) for e in effects]

    # ---- taking over -------------------------------------------------------------------------

    def _assignment(self, server_id: str) -> list[fx.Effect]:
        self.revision += 1
        return self.script.tell(ev.AssignmentRead(int(server_id), self.revision))

    def _end(self, last: str) -> list[fx.Effect]:
        return self.script.tell(ev.EndRead(self._attempt, int(last), at(-1), 0))

    def _meta(self, *words: str) -> list[fx.Effect]:
        seen = view(self.record)
        rest = list(words)
        while rest:
            match rest:
                case ["noted", version, message_id, *rest]:
                    self.record = collection(int(version))
                    seen = view(self.record, noted(int(version), int(message_id)))
                case ["recorded", version, kind, *rest]:
                    self.record = collection(int(version), noted=int(version) - 1)
                    seen = view(self.record, None, ddl(int(version), DdlKind(kind)))
                case ["wanted", server_id, *rest]:
                    seen = replace(seen, wanted=int(server_id))
        return self.script.tell(ev.MetaRead(self._attempt, seen))

    def _window(self, *names: str) -> list[fx.Effect]:
        known = past(*(item(part(name), 2) for name in names))
        return self.script.tell(ev.WindowRead(self._attempt, known))

    def _open(self) -> list[fx.Effect]:
        return self.script.open()

    @property
    def _attempt(self) -> int:
        orders = of(fx.ReadEnd, self.script.effects)
        return orders[-1].attempt

    # ---- requests ----------------------------------------------------------------------------

    def _append(self, name: str, *words: str) -> list[fx.Effect]:
        values: dict[str, Any] = {}
        for word in words:
            key, value = word.split("=")
            match key:
                case "first_sent":
                    values[key] = at(float(value))
                case "fingerprint":
                    values[key] = value.encode()
                case _:
                    values[key] = int(value)
        _, effects = self.script.append(part(name, **values))
        return effects

    def _ddl(self, version: str, kind: str) -> list[fx.Effect]:
        record = collection(int(version), noted=int(version) - 1)
        _, effects = self.script.ddl(record, ddl(int(version), DdlKind(kind)))
        return effects

    def _seal(self) -> list[fx.Effect]:
        above = at(self.script.now)
        _, effects = self.script.seal(above)
        return effects

    def _position(self) -> list[fx.Effect]:
        return self.script.tell(ev.PositionAsked(900))

    def _stop(self) -> list[fx.Effect]:
        return self.script.tell(ev.StopAsked(901))

    def _wait(self, seconds: str) -> list[fx.Effect]:
        return self.script.wait(float(seconds))

    # ---- the master service and the log --------------------------------------------------------

    def _grant(self) -> list[fx.Effect]:
        return self.script.tell(self.script.grant())

    def _away(self) -> list[fx.Effect]:
        return self.script.tell(ev.GrantUnanswered(self.script.asked, "away"))

    def _withheld(self) -> list[fx.Effect]:
        return self.script.tell(ev.GrantWithheld(self.script.asked))

    def _taken(self) -> list[fx.Effect]:
        assert self.flying is not None, "nothing is on its way"
        return self.script.stands(self.flying)

    def _unanswered(self) -> list[fx.Effect]:
        assert self.flying is not None, "nothing is on its way"
        flying = self.flying
        return self.script.tell(ev.AppendUnanswered(flying.attempt, flying.expected_last, "?"))

    def _looked(self, what: str) -> list[fx.Effect]:
        assert self.flying is not None, "nothing is on its way"
        flying = self.flying
        words = {"own": ev.Found.OURS, "other": ev.Found.ANOTHER, "absent": ev.Found.NOTHING}
        looked = ev.Looked(flying.attempt, flying.expected_last + 1, words[what])
        return self.script.tell(looked)

    # ---- in words ------------------------------------------------------------------------------

    def _show(self, effect: fx.Effect) -> str:
        match effect:
            case fx.Append():
                entries = " · ".join(map(_entry, entries_of(effect)))
                group = decode(b"".join(effect.parts))
                later = f" after {effect.delay_s:g} s" if effect.delay_s else ""
                place = f"{group.term}.{group.number} behind {effect.expected_last}"
                return f"append {place}{later}: {entries}"
            case fx.Look():
                return f"look at {effect.message_id}"
            case fx.AskGrant():
                later = f" after {effect.delay_s:g} s" if effect.delay_s else ""
                return f"ask for timestamps: {effect.asked}{later}"
            case fx.ReadEnd():
                later = f" after {effect.delay_s:g} s" if effect.delay_s else ""
                return f"read the end of the log{later}"
            case fx.ReadMeta():
                return "read the meta store"
            case fx.ReadWindow():
                return f"read the window below {effect.term} down to {_stamp(effect.until)}"
            case fx.Answer():
                return f"answer {effect.call}: {_response(effect.response)}"
            case fx.AnswerStored():
                return f"answer {effect.call}: from {effect.message_id}[{effect.index}]"
            case fx.Refuse():
                return f"answer {effect.call}: {type(effect.error).__name__}: {effect.error}"
            case fx.Tell():
                about = {"term": effect.term, "wanted": effect.wanted, "reason": effect.reason}
                known = (f"{name}={value}" for name, value in about.items() if value is not None)
                return f"say: {effect.happening} pchannel={effect.pchannel} {' '.join(known)}"
            case _:
                raise AssertionError(f"{effect} is answered by the script itself")


def _stamp(timestamp: int) -> str:
    seconds = (physical_ms(timestamp) - START_MS) / 1000
    return f"{seconds:g}s" + (f"+{logical(timestamp)}" if logical(timestamp) else "")


def _entry(entry: Entry) -> str:
    stamp = _stamp(entry.timestamp)
    match entry:
        case Rows():
            name = entry.part_id.decode().rstrip(".")
            into = "".join(
                f" {'opens' if s.opens else 'into'} {s.segment_id}" for s in entry.segments
            )
            return f"rows {name}@{stamp}{into}"
        case TermStart():
            return f"TermStart({entry.server_id})@{stamp}"
        case Ddl():
            return f"{entry.kind.value} {entry.version} of {entry.vchannel}@{stamp}"
        case Seal():
            return f"Seal {entry.segment_id}@{stamp}"
        case Tick():
            return f"tick@{stamp}"
        case Digest():
            return f"digest of {len(entry.items)}@{stamp}"


def _response(response: Any) -> str:
    match response:
        case AppendResponse(outcome="done"):
            return f"done at {response.message_id} {_stamp(response.timestamp)}"
        case AppendResponse(outcome="stale"):
            return f"stale, the present version is {response.version}"
        case AppendResponse():
            return f"{response.outcome} {response.reason}".strip()
        case SealResponse():
            return f"sealed {_ids(response.segment_ids)}at {_position(response)}"
        case PositionResponse():
            return f"at {_position(response)}"
        case AppendDdlResponse():
            places = (f"{p.vchannel} {p.position.message_id}" for p in response.positions)
            return "stands in " + ", ".join(places)
        case _:
            return type(response).__name__


def _ids(ids: Sequence[int]) -> str:
    return "".join(f"{i} " for i in ids)


def _position(response: SealResponse | PositionResponse) -> str:
    return f"{response.position.message_id} {_stamp(response.position.timestamp)}"
