"""The pool: the fixed set of pchannels of a cluster, made once."""

from collections.abc import Mapping, Sequence

from headrace.masterservice.settings import MasterServiceSettings
from headrace.model.channel import PChannel, pchannel_name
from headrace.model.errors import Invalid


def wanted_pool(settings: MasterServiceSettings) -> tuple[PChannel, ...]:
    """The pchannels that the settings ask for, in order."""
    return tuple(pchannel_name(settings.pchannel_prefix, n) for n in range(settings.pchannels))


def check_pool(found: Sequence[PChannel], wanted: Sequence[PChannel]) -> None:
    """`Invalid`, naming both, when the cluster was made with another pool than is asked for."""
    if tuple(found) != tuple(wanted):
        raise Invalid(
            f"this cluster was made with {_spell(found)}; the settings ask for {_spell(wanted)}. "
            "The pool is fixed when a cluster is made: set master_service.pchannels and "
            "master_service.pchannel_prefix back",
            field="pchannels",
        )


def choose(
    loads: Mapping[PChannel, int], pool: Sequence[PChannel], shards: int
) -> tuple[PChannel, ...]:
    """The pchannels that carry the fewest vchannels, one a shard; the pool's order decides ties."""
    assert 0 < shards <= len(pool), shards
    places = {pchannel: place for place, pchannel in enumerate(pool)}
    ranked = sorted(pool, key=lambda pchannel: (loads.get(pchannel, 0), places[pchannel]))
    return tuple(ranked[:shards])


def _spell(pool: Sequence[PChannel]) -> str:
    if not pool:
        return "no pchannels"
    return f"{len(pool)} pchannels {pool[0]} .. {pool[-1]}"
