"""What is served and what is not is said in one place for clients."""

import re
from pathlib import Path

from support.world.proxy import ProxyWorld

from headrace.proxy.door.unserved import INSTEAD, WITHOUT_STATUS
from headrace.proxy.errors import Refusal

GUIDE = Path(__file__).parents[4] / "docs" / "guide" / "clients.md"


def test_the_guide_names_every_served_method() -> None:
    table = GUIDE.read_text().split("## Served")[1].split("Every other method")[0]
    named = set(re.findall(r"\b(?:[A-Z][a-z]+){1,5}\b", table))
    assert set(ProxyWorld().assembly.served) <= named
    assert not named & set(INSTEAD)


def test_the_guide_names_every_code() -> None:
    text = GUIDE.read_text()
    codes = {refusal.value.code for refusal in Refusal}
    missing = {code for code in codes if not re.search(rf"\b{code}\b", text)}
    assert missing == {101, 702}, "those of loads and indexes explain themselves"


def test_what_to_use_instead_is_said_in_a_few_words() -> None:
    assert all(5 < len(text) < 100 and not text.endswith(".") for text in INSTEAD.values())
    assert len(WITHOUT_STATUS) == 4
