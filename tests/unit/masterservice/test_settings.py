"""Settings of the master service."""

import pytest

from headrace.masterservice.settings import MasterServiceSettings
from headrace.model.errors import Invalid


@pytest.mark.parametrize(
    ("name", "value"),
    [("pchannels", 0), ("lease_ttl_s", 1), ("timestamp_window_ms", 10), ("moves_at_once", 0)],
)
def test_a_value_that_cannot_be_is_refused_by_name(name: str, value: int) -> None:
    with pytest.raises(Invalid) as caught:
        MasterServiceSettings(**{name: value})  # type: ignore[arg-type]
    assert caught.value.field == name
