"""`docs/internals/a-rows-way.md` is true: one row through a running cluster meets what it names."""

import json
import os
import re
import subprocess
import sys

import pytest
from support.repo import ROOT

PAGE = ROOT / "docs" / "internals" / "a-rows-way.md"
FORMS_MOST, MODULES_MOST = 20, 65
IN_TABLE = re.compile(r"^\| \d+ \| `([\w.]+)` \|", re.MULTILINE)


@pytest.fixture(scope="module")
def met(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Forms and modules that one row met, in a process of its own: its modules are watched."""
    directory = tmp_path_factory.mktemp("row")
    done = subprocess.run(
        [sys.executable, "-m", "support.way.one_row", str(directory)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}"},
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, list[str]] = json.loads(done.stdout)
    return seen


def named(section: str) -> list[str]:
    """What a table of the page names, as dotted names below `headrace`."""
    text = PAGE.read_text()
    begin = text.index(f"## {section}")
    end = text.find("\n## ", begin)
    return [f"headrace.{name}" for name in IN_TABLE.findall(text[begin:end])]


def test_the_page_names_the_forms_that_a_row_takes(met: dict[str, list[str]]) -> None:
    envelopes = [name for name in met["forms"] if name.split(".")[-2] in ("events", "effects")]
    forms = [name for name in met["forms"] if name not in envelopes]
    assert sorted(named("Forms")) == sorted(forms), "see the page for how it was made"
    assert sorted(named("Envelopes")) == sorted(envelopes)
    assert len(forms) <= FORMS_MOST


def test_the_page_names_the_modules_that_a_row_passes(met: dict[str, list[str]]) -> None:
    assert sorted(named("Modules")) == sorted(met["modules"])
    assert len(met["modules"]) <= MODULES_MOST
