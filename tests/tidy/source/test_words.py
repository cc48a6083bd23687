"""Names use the field's words: no module is called after what it is not."""

import ast
import re

from support.repo import ROOT, files, modules

NO_MODULES = {"utils", "util", "common", "helpers", "helper", "manager", "base", "misc", "v2"}
NO_CLASS_WORDS = {"Manager", "Helper", "Util", "Utils", "Impl", "Base", "Misc"}
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")


def test_no_module_has_a_name_that_says_nothing() -> None:
    parts = {
        m.name: bad for m in modules() if (bad := NO_MODULES & set(m.path.with_suffix("").parts))
    }
    named = {name: bad for name, bad in parts.items() if bad - set(ROOT.parts)}
    assert not named


def test_no_class_has_a_word_that_says_nothing() -> None:
    found = [
        f"{module.name}: {node.name}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
        and NO_CLASS_WORDS & set(re.findall(r"[A-Z][a-z0-9]*", node.name))
    ]
    assert not found


def test_nothing_is_left_unfinished_in_a_comment() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in files(".py", ".md", ".toml", ".proto", ".sh", ".txt")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if UNFINISHED.search(line)
    ]
    assert not found


def test_the_glossary_is_sorted_and_names_each_word_once() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text()
    words = re.findall(r"^\| \*\*(.+?)\*\* \|", text, re.MULTILINE)
    assert len(words) > 40
    assert words == sorted(words, key=str.lower)
    assert len(set(words)) == len(words)


RIDDLES = re.compile(
    r"\b(?:who(?=ever)ever|some(?=body)body|snapshot (?=lists?)lists?|take-(?=over)over"
    r"|house(?=keeping)keeping|cho(?=res?)res?)\b",
    re.IGNORECASE,
)
OWN_WORDS = {  # -> the field's word that stands for it
    "book": "history",
    "chore": "maintenance",
    "chores": "maintenance",
    "course": "upload",
    "desk": "grant client",
    "fan": "demux",
    "halves": "float16",
    "housekeeping": "maintenance",
    "image": "channel state",
    "layouts": "vector encoding",
    "moments": "timestamp",
    "mostly": "majority",
    "nearby": "suggest",
    "patience": "retry",
    "remember": "client state",
    "wish": "assignment",
    "wishes": "assignment",
    "works": "control entries",
}


def test_texts_say_who_does_it_in_the_fields_words() -> None:
    """A sentence with such a word is read twice: it names neither the actor nor the thing."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match[0]}"
        for path in files(".py", ".md", ".txt")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        for match in [RIDDLES.search(line)]
        if match and path.name not in ("test_words.py", "glossary.md", "STYLE.md")
    ]
    assert not found


def test_names_are_the_fields_words() -> None:
    """A word invented here is one more thing to learn; each has a name that everybody knows."""
    found = []
    for module in modules():
        words = set()
        for node in ast.walk(module.tree):
            for field in ("id", "attr", "arg", "name"):
                name = getattr(node, field, None)
                if isinstance(name, str):
                    words |= {w.lower() for w in re.findall(r"[A-Z]?[a-z0-9]+", name)}
        found += [f"{module.name}: {w} is {OWN_WORDS[w]}" for w in sorted(words & OWN_WORDS.keys())]
    assert not found
