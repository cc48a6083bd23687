"""The sequencer's settings."""

import pytest

from headrace.model.errors import Invalid
from headrace.sequencer.settings import SequencerSettings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("entry_bytes_max", 10),
        ("entry_bytes_max", 8_000_000),
        ("group_entries_max", 5000),
        ("window_other_s", 700),
        ("digest_ids", 100_000),
        ("ids_lease", 0),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name(name: str, value: int) -> None:
    with pytest.raises(Invalid) as raised:
        SequencerSettings(**{name: value})  # type: ignore[arg-type]
    assert raised.value.field == name
