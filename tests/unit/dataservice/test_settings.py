"""Values that cannot be are refused by name."""

import pytest

from headrace.dataservice.settings import DataServiceSettings
from headrace.model.errors import Invalid


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lease_ttl_s", 1),
        ("step_s", 0.0),
        ("moves_at_once", 0),
        ("bundle_size", 101),
        ("grace_s", -1),
    ],
)
def test_a_value_that_cannot_be_is_named(name: str, value: float) -> None:
    with pytest.raises(Invalid, match=name):
        DataServiceSettings(**{name: value})  # type: ignore[arg-type]


def test_the_defaults_keep_the_promises_of_the_protocol() -> None:
    settings = DataServiceSettings()
    assert settings.window_s > 600.0  # ids with a client's key are kept 10 minutes
    assert settings.poll_s + settings.step_s < 2.0  # a failover within 5 s of a kill
    assert settings.manifest_interval_s == 10.0
    assert settings.grace_s == 3600.0
