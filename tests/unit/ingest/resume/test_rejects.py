"""Rejected rows: one line each, cut back to what the journal knows."""

from pathlib import Path

import orjson
import pytest

from headrace.ingest.batches import Unfitting
from headrace.ingest.faults import Fault
from headrace.ingest.resume.rejects import Rejects
from headrace.model.errors import Invalid

ROW = Unfitting(4, Fault("v", "too long"), {"id": 5, "raw": b"\x01"})


def test_a_row_is_a_line_that_says_where_and_why(tmp_path: Path) -> None:
    rejects = Rejects(tmp_path / "bad", None)
    rejects.write("rows.csv", [ROW])
    rejects.write("rows.csv", [Unfitting(9, Fault("", "broken"), "{")])
    assert rejects.rows == 2
    rejects.close()
    lines = [orjson.loads(line) for line in (tmp_path / "bad").read_bytes().splitlines()]
    assert lines[0] == {
        "file": "rows.csv",
        "row": 5,
        "column": "v",
        "reason": "too long",
        "data": {"id": 5, "raw": "01"},
    }
    assert (lines[1]["row"], lines[1]["column"], lines[1]["data"]) == (10, None, "{")


def test_what_the_journal_does_not_know_is_cut_off(tmp_path: Path) -> None:
    rejects = Rejects(tmp_path / "bad", None)
    rejects.write("rows.csv", [ROW])
    known = rejects.size_bytes
    rejects.write("rows.csv", [ROW])
    rejects.close()
    again = Rejects(tmp_path / "bad", known)
    assert again.size_bytes == known
    again.write("rows.csv", [ROW])
    again.close()
    assert len((tmp_path / "bad").read_bytes().splitlines()) == 2


def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("precious")
    with pytest.raises(Invalid, match="the file exists already"):
        Rejects(tmp_path / "bad", None)
    with pytest.raises(Invalid, match=r"--skip-bad .*: No such file"):
        Rejects(tmp_path / "absent" / "bad", None)
