"""Writes the pages of `docs/` that are made from the code: `make docs`.

**Owns** how registries, settings, machines and small state tables become pages. **Does not own**
what they say: that stands in the code. `tests/tidy/files/test_generated.py` tells when one is
stale.
"""

import ast
import dataclasses
import importlib
import inspect
import io
import itertools
import string
import sys
import textwrap
import tokenize
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

from headrace.masterservice.collections.records import STATE_LINE
from headrace.model.invariants import INVARIANTS
from headrace.model.refusals import Refusal
from headrace.model.segment import LINE
from headrace.proxy.door.unserved import INSTEAD
from headrace.proxy.errors import Ending

ROOT = Path(__file__).resolve().parents[1]
NOTE = "<!-- Made from the code by tools/docs.py: change that and run `make docs`. -->"
ROLES = ("sequencer", "masterservice", "dataservice", "datanode")


def pages() -> dict[Path, str]:
    """Every generated page with its text, by its path in the repo."""
    return {
        Path("docs/invariants.md"): invariants(),
        Path("docs/guide/configure.md"): configure(),
        Path("docs/guide/errors.md"): errors(),
        Path("docs/guide/methods.md"): methods(),
        Path("docs/internals/machines.md"): machines(),
        Path("docs/internals/mutants.md"): mutants(),
        Path("docs/internals/states.md"): states(),
    }


def main() -> int:
    """Write them all."""
    for path, text in pages().items():
        target = ROOT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        print(path)
    return 0


# ---- invariants --------------------------------------------------------------------------------


def invariants() -> str:
    """The registry of `model.invariants`."""
    rows = [(i.id, i.sentence) for i in INVARIANTS]
    return _page(
        "Invariants",
        "What holds always, whatever fails. Machines assert these in place, the simulator checks "
        "them on the whole cluster after every run, and an `AssertionError` names the one that "
        "was broken.",
        _table(("id", "it holds always"), rows),
    )


# ---- mutants -----------------------------------------------------------------------------------


def mutants() -> str:
    """Which rule stands where, and what notices a build without it."""
    sys.path.insert(0, str(ROOT / "tests"))
    catalog = importlib.import_module("mutants.catalog")
    rows = []
    for rule, found in catalog.recorded().items():
        mutant = catalog.BY_RULE[rule]
        kind = "runs of a scene" if mutant.scene else "seeds"
        after = f"{found['seeds']} {kind}"
        edits = "; ".join(f"`{_cut(e.old)}` -> `{_cut(e.new)}`" for e in mutant.edits)
        rows.append((rule, f"`{found['place']}`", edits, found["killed_by"], after))
    scenes = [(m.rule, m.why) for m in catalog.ALL if m.scene]
    return _page(
        "Mutants",
        "Where each rule of the protocol stands in the code, and what notices a build without it. "
        "A mutant is an edit of source text (`tests/mutants`), applied while a process of its own "
        "imports the package; then the simulator runs until an invariant fires by its name, or a "
        "focused scene until ours refuses. `python -m mutants.measure` in `tests` measures anew.",
        _table(("rule", "place", "the edit", "killed by", "after"), rows),
        "## Rules that need no simulator",
        _table(("rule", "why"), scenes),
        "## Rules that are not built",
        _table(("rule", "why"), catalog.NOT_BUILT.items()),
        "## Mutants that nothing has named so far",
        _table(("rule", "place"), [(r, _place(catalog.BY_RULE[r])) for r in catalog.NOT_SHOWN]),
    )


def _place(mutant: Any) -> str:
    return f"`{mutant.edits[0].module}`"


def _cut(text: str, most: int = 90) -> str:
    line = " ".join(text.replace("|", "or").split()).replace("`", "'")
    return line if len(line) <= most else f"{line[: most - 1]}…"


# ---- methods of clients ------------------------------------------------------------------------


def methods() -> str:
    """Every public method of pymilvus: an example, or what to use instead."""
    sys.path.insert(0, str(ROOT / "tests"))
    shown = importlib.import_module("support.clients.methods")
    parts = [
        "Every public method of pymilvus 3 (2.6 has no other), with a script that uses it, or with "
        "what to use instead. The scripts run against a cluster by both versions in every test "
        "run; each runs by itself too: `python SCRIPT http://127.0.0.1:19530`.",
    ]
    for owner, group in itertools.groupby(shown.methods(), lambda m: m.owner):
        rows = [(f"`{m.name}`", _here(m)) for m in group if m.script]
        parts += [f"## {owner}", _table(("method", "here"), rows)]
        if owner == "AsyncMilvusClient":
            names = ", ".join(f"`{name}`" for name in shown.FORGOTTEN)
            parts.append(f"pymilvus 2.6 and 3.0 have no code behind {names} of this client.")
    return _page("Methods of pymilvus", *parts)


def _here(method: Any) -> str:
    if method.protocol:
        return f"not served yet; {INSTEAD[method.protocol]}"
    place = f"../../tests/e2e/pymilvus/scripts/{method.script}.py"
    return f"served ([{method.script}.py]({place}))"


# ---- settings ----------------------------------------------------------------------------------


def configure() -> str:
    """Every setting with its default and its reason."""
    settings = importlib.import_module("headrace.app.settings").Settings
    parts = [
        "A setting is looked for in this order: a flag `--set SECTION.NAME=VALUE`, the environment "
        "variable `HEADRACE_SECTION__NAME`, the TOML file of `--config` (or `HEADRACE_CONFIG`), "
        "the default. A wrong one is said at start, by name. `headrace config show` prints all "
        "that are in force.",
    ]
    for section, field in settings.model_fields.items():
        kind = type(field.get_default(call_default_factory=True))
        parts += [f"## `[{section}]`", (inspect.getdoc(kind) or "").split("\n\n")[0]]
        parts.append(_table(("setting", "default", "what it is"), _settings_rows(kind)))
    return _page("Settings", *parts)


def _settings_rows(kind: type) -> Iterator[tuple[str, str, str]]:
    reasons = _comments(kind)
    for field in dataclasses.fields(kind):
        default = field.default
        if default is dataclasses.MISSING and callable(field.default_factory):
            default = field.default_factory()
        yield f"`{field.name}`", f"`{_toml(default)}`", reasons.get(field.name, "")


def _comments(kind: type) -> dict[str, str]:
    """The comment behind each field of a class, or the one on the lines before it."""
    source = inspect.getsource(kind)
    lines = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    found: dict[str, str] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            behind = lines.get(node.end_lineno or node.lineno, "")
            found[node.target.id] = behind or _above(lines, source, node.lineno - 1)
    return found


def _above(lines: Mapping[int, str], source: str, line: int) -> str:
    """The comment that ends on this line and has its lines to itself."""
    words: list[str] = []
    text = source.splitlines()
    while line in lines and text[line - 1].lstrip().startswith("#"):
        words.insert(0, lines[line])
        line -= 1
    return " ".join(words)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return str(value)


# ---- errors ------------------------------------------------------------------------------------


def errors() -> str:
    """What a client can be told, by topic, and the gRPC statuses that end a call."""
    parts = [
        "What a client is told when something does not work: pymilvus raises each line as a "
        "`MilvusException` with this `code` and this `message`; what stands in <> is filled in. "
        "Nothing of a request that was refused so is written, but where the sentence says that it "
        "may be. Who repeats what is in [clients](clients.md).",
    ]
    for topic, members in _topics(Refusal):
        rows = [(str(m.value.code), f"`{_shown(m.value.text)}`", f"`{m.name}`") for m in members]
        parts += [f"## {topic.capitalize()}", _table(("code", "sentence", "name"), rows)]
    parts += [
        "## Ends of a call",
        "Where a Status would not do, a call ends with a gRPC status. pymilvus repeats "
        "`UNAVAILABLE` by itself, and raises the others as they are.",
        _table(
            ("gRPC status", "sentence", "name"),
            [(f"`{e.transport.name}`", f"`{_shown(e.text)}`", f"`{e.name}`") for e in Ending],
        ),
    ]
    return _page("Errors", *parts)


def _topics(kind: type[Refusal]) -> Iterator[tuple[str, list[Refusal]]]:
    """The members under each heading comment of their class, in its order."""
    lines = inspect.getsource(kind).splitlines()
    found: list[tuple[str, list[Refusal]]] = []
    for line in lines:
        words = line.split()
        if words[:2] == ["#", "----"]:
            found.append((" ".join(words[2:]), []))
        elif words[1:2] == ["="] and words[0] in kind.__members__:
            found[-1][1].append(kind[words[0]])
    yield from found


def _shown(text: str) -> str:
    """A sentence with <name> where something is filled in, in quotes where it is quoted."""
    parts = []
    for words, name, _, conversion in string.Formatter().parse(text):
        quote = "'" if conversion == "r" else ""
        parts.append(words + (f"{quote}<{name}>{quote}" if name else ""))
    return "".join(parts).replace("`", "'")


# ---- machines ----------------------------------------------------------------------------------


def machines() -> str:
    """What each machine is told, and what it orders."""
    parts = [
        "A role decides in a machine: `step(event, now) -> effects`. Events are facts, effects are "
        "orders; the role's shell carries out each effect as one coroutine and answers with "
        "exactly one event, failure included.",
    ]
    for role in ROLES:
        if not (ROOT / "src" / "headrace" / role / "machine.py").is_file():
            continue
        machine = importlib.import_module(f"headrace.{role}.machine")
        parts += [f"## {role}", _first(machine)]
        for kind, head in (("events", "event"), ("effects", "effect")):
            module = importlib.import_module(f"headrace.{role}.{kind}")
            rows = [(f"`{c.__name__}`", _first(c)) for c in _classes(module)]
            heading = "it happened" if kind == "events" else "it is to be done"
            parts.append(_table((head, heading), rows))
    return _page("Machines", *parts)


def _classes(module: ModuleType) -> list[type]:
    """The dataclasses that make up a module's `Event` or `Effect`, in the order of the module."""
    union = getattr(module, "Event", None) or module.Effect
    members = set(get_args(union))
    return [v for v in vars(module).values() if inspect.isclass(v) and v in members]


def _first(value: Any) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((inspect.getdoc(value) or "").split("\n\n")[0].split())


# ---- states ------------------------------------------------------------------------------------


def states() -> str:
    """Diagrams of the small state tables."""
    return _page(
        "States",
        "## Segment",
        "Sealed is a fact of the log; in meta a segment is growing until its flush is reported. "
        "States move only along the line (SG-1), and may skip some.",
        _diagram(itertools.pairwise(LINE)),
        "## Collection",
        "A collection is published when its first DDL is noted; a dropped one stays as a tombstone "
        "until every channel checkpoint has passed the drop.",
        _diagram(itertools.pairwise(STATE_LINE)),
    )


def _diagram(moves: Iterable[tuple[str, str]]) -> str:
    lines = [f"    {old} --> {new}" for old, new in moves]
    first = lines[0].split()[0]
    return "\n".join(["```mermaid", "stateDiagram-v2", f"    [*] --> {first}", *lines, "```"])


# ---- pages -------------------------------------------------------------------------------------


def _page(title: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}", NOTE, *map(_wrap, parts)]) + "\n"


def _wrap(part: str) -> str:
    """Prose in lines of 100 columns; tables, headings and diagrams as they are."""
    return part if part.startswith(("|", "#", "`")) else textwrap.fill(part, 100)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(c.replace("|", "\\|") for c in line) + " |" for line in lines
    )


if __name__ == "__main__":
    sys.exit(main())
