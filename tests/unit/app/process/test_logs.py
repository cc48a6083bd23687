"""The log of a process."""

import json
from pathlib import Path

import pytest

from headrace.app.process import logs


def test_events_are_json_lines_that_name_their_process(tmp_path: Path) -> None:
    log = logs.make_logger("data-node-7", directory=tmp_path)
    log.bind(vchannel="a").info("watched", epoch=3, node="data-node-8")
    (line,) = (tmp_path / "data-node-7.log").read_text().splitlines()
    event = json.loads(line)
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "process": "data-node-7",
        "vchannel": "a",
        "epoch": 3,
        "node": "data-node-8",
        "event": "watched",
        "level": "info",
    }


def test_below_its_level_nothing_is_written(tmp_path: Path) -> None:
    logs.make_logger("quiet", directory=tmp_path, level="warning").info("watched")
    assert (tmp_path / "quiet.log").read_text() == ""


def test_files_are_rotated_and_the_oldest_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "ROTATE_BYTES", 1000)
    log = logs.make_logger("busy", directory=tmp_path)
    for number in range(100):
        log.info("watched", number=number)
    files = sorted(tmp_path.iterdir())
    assert [f.name for f in files] == ["busy.log", *(f"busy.log.{n}" for n in range(1, 5))]
    assert all(f.stat().st_size <= 1000 for f in files)
    assert json.loads(files[0].read_text().splitlines()[-1])["number"] == 99
