"""The fixed set of pchannels."""

import pytest

from headrace.masterservice.sequencers.pool import check_pool, choose, wanted_pool
from headrace.masterservice.settings import MasterServiceSettings
from headrace.model.errors import Invalid


def test_the_default_pool_has_sixteen_pchannels() -> None:
    pool = wanted_pool(MasterServiceSettings())
    assert len(pool) == 16
    assert (pool[0], pool[15]) == ("headrace-dml-0", "headrace-dml-15")


def test_another_setting_later_is_an_error_that_names_both() -> None:
    made = wanted_pool(MasterServiceSettings())
    asked = wanted_pool(MasterServiceSettings(pchannels=8))
    check_pool(made, made)
    with pytest.raises(Invalid, match=r"16 pchannels .* ask for 8 pchannels") as caught:
        check_pool(made, asked)
    assert caught.value.field == "pchannels"


@pytest.mark.parametrize("prefix", ["", "head_race", "head.race", "head race"])
def test_a_prefix_that_cannot_be_told_apart_in_names_is_refused(prefix: str) -> None:
    with pytest.raises(Invalid):
        MasterServiceSettings(pchannel_prefix=prefix)


def test_a_collection_gets_the_pchannels_that_carry_the_fewest() -> None:
    pool = ("p-0", "p-1", "p-2", "p-10")
    assert choose({}, pool, 2) == ("p-0", "p-1")
    assert choose({"p-0": 1, "p-1": 1}, pool, 2) == ("p-2", "p-10")
    assert choose({"p-0": 3, "p-1": 1, "p-2": 2}, pool, 3) == ("p-10", "p-1", "p-2")
