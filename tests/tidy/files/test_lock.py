"""The lock pins what the project asks for."""

import re
import tomllib

import pytest
from support.repo import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
_NAME = re.compile(r"^[A-Za-z0-9._-]+")


def normal(requirement: str) -> str:
    """The name of what is required, as registries spell it."""
    match = _NAME.match(requirement)
    assert match is not None, requirement
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def test_the_lock_pins_all_that_the_project_asks_for() -> None:
    lock = (ROOT / "requirements.txt").read_text()
    pinned = {normal(line) for line in lock.splitlines() if "==" in line}
    asked = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]
    assert {normal(requirement) for requirement in asked} <= pinned


@pytest.mark.parametrize(
    ("path", "least"), [("requirements.txt", 40), ("tests/e2e/pymilvus/requirements-2.6.txt", 10)]
)
def test_a_lock_names_no_host_and_pins_every_hash(path: str, least: int) -> None:
    lock = (ROOT / path).read_text()
    assert "://" not in lock
    pins = re.findall(r"^([a-z0-9._-]+)==[^\s;]+", lock, re.MULTILINE | re.IGNORECASE)
    hashed = re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE | re.IGNORECASE)
    assert len(pins) > least
    assert all("--hash=sha256:" in block for block in hashed if "==" in block)
