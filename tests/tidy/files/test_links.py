"""Links between the pages of the repo lead somewhere, what they name exists, and fences close."""

import re

import pytest
from support.repo import ROOT, files

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
PAGES = [path.relative_to(ROOT) for path in files(".md")]
MODULE_NAMES = {path.name for path in files(".py")}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_relative_link_leads_to_a_file(page: object) -> None:
    path = ROOT / str(page)
    targets = LINK.findall(path.read_text())
    broken = [t for t in targets if "://" not in t and not (path.parent / t).exists()]
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_code_that_a_page_names_exists(page: object) -> None:
    text = (ROOT / str(page)).read_text()
    named = re.findall(r"`((?:src|tests|tools|docs|bench|proto)/[\w/.-]+)`", text)
    assert not [name for name in named if not (ROOT / name).exists()]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_modules_that_a_page_names_exist(page: object) -> None:
    """With a folder they are named from `src/headrace` on, from the root, or from the page."""
    path = ROOT / str(page)
    places = (ROOT / "src" / "headrace", ROOT, path.parent)
    named = re.findall(r"`((?:\w+/)*\w+\.py)`", path.read_text())
    assert not [
        name
        for name in named
        if not (any((p / name).exists() for p in places) if "/" in name else name in MODULE_NAMES)
    ]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_fence_of_code_has_a_line_of_its_own(page: object) -> None:
    lines = [line.strip() for line in (ROOT / str(page)).read_text().splitlines()]
    fences = [line for line in lines if "```" in line]
    assert not [line for line in fences if not re.fullmatch(r"```\w*", line)]
    assert len(fences) % 2 == 0, "a fence is open at the end"
