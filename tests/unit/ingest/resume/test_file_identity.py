"""Stamps of files: what makes them differ."""

import os
from pathlib import Path

import pytest

from headrace.ingest.resume.file_identity import identity_of
from headrace.model.errors import Invalid


def test_a_file_that_stays_has_the_same_stamp(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(os.urandom(1 << 20))
    assert identity_of(path) == identity_of(path)


@pytest.mark.parametrize("place", [0, 1 << 19, (1 << 20) - 1])
def test_another_content_has_another_digest(tmp_path: Path, place: int) -> None:
    path = tmp_path / "f"
    content = bytearray(1 << 20)
    path.write_bytes(content)
    before = identity_of(path)
    content[place] ^= 1
    path.write_bytes(content)
    after = identity_of(path)
    assert before.size == after.size
    assert before.digest != after.digest


def test_an_empty_file_has_a_stamp_and_an_absent_one_none(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    assert identity_of(tmp_path / "f").size == 0
    with pytest.raises(Invalid, match="cannot be read: No such file"):
        identity_of(tmp_path / "absent")
