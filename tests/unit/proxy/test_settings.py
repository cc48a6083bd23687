"""Settings that make no sense are refused when they are made."""

from typing import Any

import pytest

from headrace.model.errors import Invalid
from headrace.proxy.settings import ProxySettings
from headrace.sequencer.settings import SequencerSettings


def test_the_defaults_are_those_of_the_protocol() -> None:
    settings = ProxySettings()
    assert settings.host == "127.0.0.1"
    assert settings.request_bytes_max == 64_000_000
    assert settings.entry_bytes_max == SequencerSettings().entry_bytes_max
    assert settings.deadline_s_max < SequencerSettings().window_other_s


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": -1},
        {"port": 65_536},
        {"entry_bytes_max": 0},
        {"entry_bytes_max": 65_000_000},
        {"shards_max": 0},
        {"deadline_s_max": 0},
        {"append_timeout_s": -1},
        {"keys_leased": 0},
    ],
)
def test_a_wrong_value_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as caught:
        ProxySettings(**wrong)
    (name,) = wrong
    assert caught.value.field == f"proxy.{name}"
    assert name in caught.value.message
