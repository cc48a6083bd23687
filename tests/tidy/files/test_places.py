"""Nothing in the repo depends on the machine that it was written on."""

import re

from support.repo import ROOT, files

TEXT = (".py", ".md", ".toml", ".txt", ".proto", ".sh", ".yml", ".yaml", ".json", ".cfg", "")
HOME = re.compile(r"(?<![\w.])/(?:home|root|Users|work|mnt)/[\w.]")
REGISTRY = re.compile(r"(--(?:extra-)?index-url|--find-links|--trusted-host|simple/?\")")


def matches(pattern: re.Pattern[str]) -> list[str]:
    """Where a pattern occurs."""
    own = ROOT / "tests" / "tidy" / "files" / "test_places.py"
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in files(*TEXT)
        if path != own and path.suffix in TEXT
        for number, line in enumerate(read(path), 1)
        if pattern.search(line)
    ]


def read(path: object) -> list[str]:
    """The lines of a text file, none of a binary one."""
    try:
        return ROOT.joinpath(str(path)).read_text().splitlines()
    except UnicodeDecodeError:
        return []


def test_no_path_of_a_machine_is_named() -> None:
    assert not matches(HOME)


def test_no_registry_is_named() -> None:
    assert not matches(REGISTRY)
