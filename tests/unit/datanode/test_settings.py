"""Settings are checked at start."""

import pytest

from headrace.datanode.settings import DataNodeSettings
from headrace.model.errors import Invalid


@pytest.mark.parametrize(
    "name",
    [
        "sync_bytes",
        "budget_bytes",
        "fetch_bytes_least",
        "puts_at_once",
        "encodes_at_once",
        "report_segments_most",
        "budget_soft_share",
        "step_s",
        "lease_ttl_s",
    ],
)
def test_nothing_is_no_value(name: str) -> None:
    with pytest.raises(Invalid) as error:
        DataNodeSettings(**{name: 0})
    assert error.value.field == name


def test_a_report_fits_into_a_transaction() -> None:
    with pytest.raises(Invalid):
        DataNodeSettings(report_segments_most=121)


def test_the_least_fetch_is_not_above_the_most() -> None:
    with pytest.raises(Invalid):
        DataNodeSettings(fetch_bytes_least=2, fetch_bytes_most=1)
