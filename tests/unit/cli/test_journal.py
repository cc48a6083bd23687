"""`headrace inspect journal`: files of journals, and their replay."""

from pathlib import Path

import pytest

from headrace.cli.journal import lines_of, read, replay_file
from headrace.dataservice import events as ev
from headrace.dataservice.machine import DataServiceMachine
from headrace.dataservice.settings import DataServiceSettings
from headrace.model.errors import Invalid
from headrace.runtime.driver import Source
from headrace.runtime.journal import replay
from headrace.runtime.journal.steps import Journal


def journal() -> Journal:
    made = Journal()
    machine = made.begin(DataServiceMachine, DataServiceSettings(), 0.0)
    for number in range(1, 4):
        effects = machine.step(ev.TimePassed(), float(number))
        made.record(number, float(number), Source.CLOCK, ev.TimePassed(), effects)
    return made


def file_of(path: Path, *names: str) -> list[str]:
    records = {name: replay.recorded(journal()) for name in names}
    lines = lines_of(replay.details(records, replay.JOURNAL)[replay.JOURNAL])
    path.write_text("\n".join(lines))
    return lines


def test_a_file_has_the_machines_of_a_process_behind_each_other(tmp_path: Path) -> None:
    lines = file_of(tmp_path / "journal", "sequencer a", "sequencer b")
    assert {name: len(record.steps) for name, record in read(lines).items()} == {
        "sequencer a": 3,
        "sequencer b": 3,
    }


def test_a_file_is_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file_of(tmp_path / "journal", "data-service")
    assert replay_file(tmp_path / "journal") == 0
    assert capsys.readouterr().out == "data-service: 3 steps replayed, same effects\n"


def test_a_difference_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "journal"
    *lines, last = file_of(path, "data-service")
    path.write_text("\n".join([*lines, last.replace("[]]", '["more"]]')]))
    assert replay_file(path) == 1
    assert "step 3 ordered otherwise" in capsys.readouterr().out


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="cannot be read"):
        replay_file(tmp_path / "none")
